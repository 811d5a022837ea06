/** Whether a connection is silent at this moment. How long it may be so before a drain closes it is decided in shutdown.ts. */
import { connectionsOf } from '../node/http.js';
import type { ServerSocket } from '../node/socket.js';

/** What is still to be sent counts as well: the peer may be slow to read. */
export function moved(socket: ServerSocket): number {
  return socket.bytesRead + socket.bytesWritten - socket.writableLength;
}

/** Nothing is asked and nothing is answered on a connection of HTTP/1.1. */
export function isSilent(socket: ServerSocket): boolean {
  const answer = socket._httpMessage;
  if (answer && !answer.finished) return false;
  return socket.bytesRead === 0 || !isActive(socket);
}

/** Lists of parsers in the middle of a request; good until something is read. */
let active = new WeakMap<object, ReadonlySet<object>>();
let isKept = false;

function isActive({ server, parser }: ServerSocket): boolean {
  if (server === undefined || !parser) return false;
  let parsers = active.get(server);
  if (parsers === undefined) {
    parsers = new Set(connectionsOf(server)?.active());
    active.set(server, parsers);
    if (!isKept) {
      isKept = true;
      setImmediate(() => {
        isKept = false;
        active = new WeakMap();
      });
    }
  }
  return parsers.has(parser);
}
