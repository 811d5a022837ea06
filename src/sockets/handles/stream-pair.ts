/**
 * Two unix stream sockets that are each other's peer, for a channel between two workers: by socketpair(2) where libc can be
 * called, else by listening for a moment in the runtime folder, which nobody else may enter.
 *
 * Both ends are raw handles of Node that are not read here; the caller sends them on, and closes them.
 */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import type { NativeLoad } from '../../native/libc.js';
import { type TcpHandle, wrapFd } from './handle.js';

/** As far as they are used: they can be sent, and closed. */
export type StreamEnd = Pick<TcpHandle, 'close'>;
export type StreamPair = readonly [StreamEnd, StreamEnd];

/** @throws when the system has no file descriptor left, or the folder cannot be written to */
export async function makeStreamPair(native: NativeLoad, folder: string): Promise<StreamPair> {
  return native.ok ? pairOf(native.native.openStreamPair()) : listenAndConnect(folder);
}

function pairOf([one, other]: readonly [number, number]): StreamPair {
  return [wrapFd(one), wrapFd(other)];
}

async function listenAndConnect(folder: string): Promise<StreamPair> {
  const server = net.createServer({ pauseOnConnect: true });
  try {
    // A name that others do not have at this moment, no secret: node:crypto would cost megabytes.
    const address = path.join(folder, `.link-${Math.random().toString(16).slice(2, 14).padEnd(12, '0')}`);
    server.listen(address);
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[net.Socket]>;
    const client = net.connect(address);
    client.pause();
    const [[theirs]] = await Promise.all([accepted, once(client, 'connect')]);
    return [detached(client), detached(theirs)];
  } finally {
    server.close();
  }
}

/** Nothing that happens to the Socket may touch the handle. */
function detached(socket: net.Socket): StreamEnd {
  const owner = socket as net.Socket & { _handle: (TcpHandle & { readStop(): number }) | null };
  const handle = owner._handle;
  if (handle === null) throw new Error('cannot make a channel between two workers: the connection has ended at once');
  handle.readStop();
  owner._handle = null;
  return handle;
}
