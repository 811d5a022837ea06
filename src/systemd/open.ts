/** What systemd has started, and what it has not, is told here alone: whoever runs a supervisor asks once, and goes by it. */
import type { State } from '../core/state/types.js';
import type { NativeLoad } from '../native/libc.js';
import type { Keeper } from '../sockets/keeping.js';
import type { ServiceEnvironment } from './environment.js';
import { openFdStore } from './fd-store.js';
import { openNotifier } from './notify.js';
import { Service } from './service.js';

/** Where nobody listens all of it does nothing. */
export interface Systemd {
  readonly keeper: Keeper | null;
  review(state: State): void;
  reload(reload: () => Promise<unknown>): Promise<unknown>;
  fail(reason: string, exitStatus: number): void;
  /** Resolves when all is told. */
  close(): Promise<void>;
}

/** @param onFailure told once when systemd cannot be told anything */
export function openSystemd(
  { notifySocket, watchdogMs }: ServiceEnvironment,
  native: NativeLoad,
  onFailure: (reason: string) => void,
): Systemd {
  if (notifySocket === null) {
    return {
      keeper: null,
      review: () => {},
      reload: (reload) => reload(),
      fail: () => {},
      close: async () => {},
    };
  }
  const notifier = openNotifier(notifySocket, native, onFailure);
  const service = new Service({ notifier, watchdogMs, pid: process.pid });
  service.begin();
  return {
    keeper: openFdStore(notifier),
    review: (state) => service.review(state),
    reload: (reload) => service.reload(reload),
    fail: (reason, exitStatus) => service.fail(reason, exitStatus),
    close() {
      service.close();
      return notifier.close();
    },
  };
}
