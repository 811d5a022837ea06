/** Whether the client of a connection has ever said anything, and what it was promised by another worker since. */
import type { ServerSocket } from '../node/socket.js';

/** Handed over by workers to which their clients had spoken: for how long each was promised to be kept, in milliseconds. */
const spokeElsewhere = new WeakMap<object, number>();

export function hasSpokenElsewhere(socket: ServerSocket, promisedMs: number): void {
  spokeElsewhere.set(socket, promisedMs);
}

export function hasSaidNothing(socket: Pick<ServerSocket, 'bytesRead'>): boolean {
  return socket.bytesRead === 0 && !spokeElsewhere.has(socket);
}

/** In milliseconds; 0 once its client has said something here, or where nothing was promised. */
export function promisedElsewhere(socket: Pick<ServerSocket, 'bytesRead'>): number {
  return socket.bytesRead === 0 ? (spokeElsewhere.get(socket) ?? 0) : 0;
}
