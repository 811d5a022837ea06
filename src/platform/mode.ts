/** Chooses the listen mode from what the owner wants and what the machine can do. Pure. */
import { EXIT, HoldfastError } from '../errors.js';
import type { ListenMode } from '../protocol.js';
import type { Capabilities } from './probe.js';

/** `reason` is for people: `status` shows it. */
export type ListenChoice =
  | { readonly mode: 'reuseport'; readonly how: 'node' | 'native'; readonly reason: string }
  | { readonly mode: 'reuseaddr'; readonly how: null; readonly reason: string };

/** @throws HoldfastError REUSEPORT_UNSUPPORTED if reuseport is demanded and the machine cannot do it */
export function chooseListenMode(
  wanted: 'auto' | ListenMode,
  { reusePort }: Pick<Capabilities, 'reusePort'>,
): ListenChoice {
  if (wanted === 'reuseaddr') {
    return { mode: 'reuseaddr', how: null, reason: 'the configuration asks for reuseaddr' };
  }
  if (reusePort.how !== null) {
    const asked = wanted === 'auto' ? 'this machine supports SO_REUSEPORT' : 'the configuration asks for reuseport';
    return { mode: 'reuseport', how: reusePort.how, reason: `${asked}: ${reusePort.reason}` };
  }
  if (wanted === 'auto') {
    const reason = `this machine does not support SO_REUSEPORT, so all workers share one socket: ${reusePort.reason}`;
    return { mode: 'reuseaddr', how: null, reason };
  }
  throw new HoldfastError(
    'REUSEPORT_UNSUPPORTED',
    `cannot use listen mode reuseport: this machine does not support SO_REUSEPORT (${reusePort.reason})`,
    {
      exitCode: EXIT.usage,
      hint: 'use --listen-mode auto, which falls back to reuseaddr; holdfast doctor shows what this machine supports',
    },
  );
}
