/** Whether the client of a connection has ever said anything. */
import type { ServerSocket } from '../node/socket.js';

/** Handed over by workers to which their clients had spoken: this process has read nothing from them. */
const spokeElsewhere = new WeakSet<object>();

export function hasSpokenElsewhere(socket: ServerSocket): void {
  spokeElsewhere.add(socket);
}

export function hasSaidNothing(socket: Pick<ServerSocket, 'bytesRead'>): boolean {
  return socket.bytesRead === 0 && !spokeElsewhere.has(socket);
}
