/**
 * systemd's store of file descriptors, in which the sockets of custody outlive the supervisor: see sd_pid_notify_with_fds(3),
 * FDSTORE=1. A unit needs FileDescriptorStoreMax= for it; without, systemd closes what it is given, and nothing is lost.
 */
import type { Keeper } from '../sockets/keeping.js';
import type { Notifier } from './notify.js';

/** null where file descriptors cannot be sent. */
export function openFdStore(notifier: Notifier): Keeper | null {
  if (!notifier.passesFds) return null;
  return {
    keep(name, fd) {
      // Not polled: a listening socket on which a connection waits is no reason to throw it away.
      notifier.send(['FDSTORE=1', `FDNAME=${name}`, 'FDPOLL=0'], [fd]);
    },
    drop(name) {
      notifier.send(['FDSTOREREMOVE=1', `FDNAME=${name}`]);
      return notifier.barrier();
    },
  };
}
