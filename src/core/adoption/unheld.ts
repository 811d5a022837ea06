/** Sockets that only custody has: they go with the supervisor, and with them what waits in their queues. Pure. */
import type { SocketId } from '../state/types.js';
import type { SocketTable } from './types.js';

export function unheldSockets({ sockets }: SocketTable): SocketId[] {
  return sockets
    .filter(({ listened, holders, loans }) => {
      const isLent = loans.some(({ state }) => state === 'adopted');
      return listened && holders.length === 0 && !isLent;
    })
    .map(({ slot, key }) => ({ slot, key }));
}
