/** What a supervisor finds at its start: sockets that it was passed, and the journal. */
import { JOURNAL_SOCKET } from '../../logs/sinks/journal.js';
import type { Datagrams } from '../../native/datagrams.js';
import type { NativeLoad } from '../../native/libc.js';
import type { SteeringChoice } from '../../platform/mode.js';
import { formatAddress, formatShared } from '../../sockets/address/address.js';
import { type InheritedShared, type InheritedSocket, isOrderKnown } from '../../sockets/inherit.js';

export function addressOf(socket: InheritedSocket | InheritedShared): string {
  const { host, port } = socket;
  return 'kind' in socket ? formatShared(socket.kind, host, port) : formatAddress(host, port);
}

/** What the kernel cannot be told by index is left to its hash. */
export function steeringWith(inherited: readonly InheritedSocket[], choice: SteeringChoice): SteeringChoice {
  if (!choice.steered || isOrderKnown(inherited)) return choice;
  return {
    steered: false,
    reason: 'sockets were kept from a supervisor that did not steer: stop and start to have them bound anew',
  };
}

/** null where the journal is reached by standard output only. */
export function openJournal(native: NativeLoad): Datagrams | null {
  try {
    return native.ok ? native.native.openDatagrams(JOURNAL_SOCKET) : null;
  } catch {
    return null;
  }
}
