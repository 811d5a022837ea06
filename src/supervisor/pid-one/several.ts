/** The parent of several supervisors, where it is PID 1 of a container: what they leave behind is its own to reap. Loaded there alone. */
import { loadNative } from '../../native/libc.js';
import { reapOrphans } from './reaper.js';

/** @param warn told where it cannot */
export function reapOrphansOfSeveral(warn: (text: string) => void): void {
  reapOrphans(loadNative(), {
    warn: ({ reason, hint }, message) => warn(`${message}: ${reason}\n  ${hint}`),
    debug: () => {},
  });
}
