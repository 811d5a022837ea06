/**
 * What is done to a connection while it is on its way to another worker, and afterwards.
 *
 * libuv reads only when it polls, and gives the bytes to the parser at once: between two requests nothing of the next one is
 * in this process. So once reading has stopped, all that the client sends stays in the kernel.
 */
import type { Parser } from '../node/http.js';
import type { ConnectionHandle, MovableSocket } from '../node/socket.js';

/** Nothing is read, and no time runs out, until `thaw`. */
export function freeze(socket: MovableSocket, handle: ConnectionHandle): void {
  handle.readStop();
  handle.reading = false;
  // A handler that comes to its request's body late resumes the socket.
  handle.readStart = () => 0;
  socket.setTimeout(0);
}

/** It stays here after all. `timeoutMs` is what it had. */
export function thaw(socket: MovableSocket, handle: ConnectionHandle, timeoutMs: number): void {
  Reflect.deleteProperty(handle, 'readStart');
  if (socket._handle !== handle || socket.destroyed) return;
  if (timeoutMs > 0) socket.setTimeout(timeoutMs);
  handle.reading = true;
  handle.readStart();
}

/**
 * It is another worker's: to this process it looks as if the connection had been closed, but nothing is sent to the client.
 * Both workers hold the same socket of the kernel, so closing it here is no end of it.
 */
export function detach(socket: MovableSocket, handle: ConnectionHandle): void {
  if (socket._handle !== handle) return;
  socket._handle = stillHandle(handle);
  const parser = socket.parser as Parser | null | undefined;
  if (parser?._consumed) {
    parser.unconsume();
    parser._consumed = false;
  }
  handle.onread = () => {};
  socket.destroy();
  handle.close();
}

/** Answers as a handle does that has been closed. */
function stillHandle({ bytesRead, bytesWritten }: ConnectionHandle): ConnectionHandle {
  const still = {
    bytesRead,
    bytesWritten,
    writeQueueSize: 0,
    reading: false,
    fd: -1,
    close: (callback?: () => void) => {
      if (callback !== undefined) setImmediate(callback);
    },
    reset: (callback?: () => void) => {
      if (callback !== undefined) setImmediate(callback);
      return 0;
    },
    listen: () => 0,
    readStart: () => 0,
    readStop: () => 0,
    getsockname: () => 0,
    getpeername: () => 0,
    getAsyncId: () => 0,
    onconnection: () => {},
    onread: () => {},
    ref: () => {},
    unref: () => {},
    hasRef: () => false,
  };
  return still as unknown as ConnectionHandle;
}
