/**
 * Node's own channel between a child and its parent, made anew over a unix socket: `ChildProcess.prototype.spawn` makes a pipe,
 * has its handle start the process, and sets the channel up on that pipe. Here nothing is started; the pipe is connected instead.
 */
import { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { symbolOf } from './symbols.js';

/** The pipe beneath a channel. `onread` is called without bytes at its end. */
export interface ChannelPipe {
  onread(bytes?: ArrayBuffer, ...rest: unknown[]): unknown;
  readStart(): number;
  readStop(): number;
  close(): void;
  hasRef(): boolean;
}

export type SendCallback = (error: Error | null) => void;

/** What `process` and a link have in common, as Node makes it. */
export interface ChannelEnd {
  _send(message: unknown, handle?: unknown, options?: unknown, callback?: SendCallback): boolean;
}

export interface Link extends ChannelEnd, EventEmitter {
  readonly channel: { ref(): void; unref(): void };
}

/** undefined where this Node keeps it elsewhere. */
export function channelPipe(end: object): ChannelPipe | undefined {
  const symbol = symbolOf(end, 'kChannelHandle');
  const pipe = symbol && (end as Record<symbol, ChannelPipe | undefined>)[symbol];
  return typeof pipe?.onread === 'function' && typeof pipe.readStop === 'function' ? pipe : undefined;
}

/**
 * Its end is told to `onEnd` and to nobody else: to Node, and to the application, the channel is still there.
 *
 * @param isMeant asked at the end; where it is not, all goes as without this
 */
export function watchEnd(pipe: ChannelPipe, onEnd: () => void, isMeant = () => true): void {
  const { onread } = pipe;
  pipe.onread = function read(this: ChannelPipe, bytes, ...rest) {
    if (bytes || !isMeant()) return onread.call(this, bytes, ...rest);
    pipe.readStop();
    pipe.close();
    return onEnd();
  };
}

/**
 * @param onLink its pipe is not read before `readStart`
 * @param onRefused also where this Node does not let us
 */
export function connectChannel(
  path: string,
  onLink: (link: Link, pipe: ChannelPipe) => void,
  onRefused: (error: Error) => void,
): void {
  const link = Object.create(ChildProcess.prototype) as Link & { _handle: unknown; spawn(options: object): number };
  EventEmitter.call(link as never);
  Object.assign(link, { _closesNeeded: 1, _closesGot: 0, connected: false, signalCode: null, exitCode: null });
  link.on('error', () => {});
  // `spawn` puts the streams that it has made into the options.
  const options: { file: string; args: []; envPairs: []; stdio: unknown } = {
    ...{ file: process.execPath, args: [], envPairs: [] },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  };
  let socket: net.Socket | undefined;
  const handle = {
    pid: 0,
    spawn() {
      const { handle } = (options.stdio as { handle: never }[])[3]!;
      socket = new net.Socket({ handle, readable: false, writable: false } as net.SocketConstructorOpts);
      socket.connect({ path });
      return 0;
    },
    close: () => {},
    ref: () => {},
    unref: () => {},
  };
  try {
    link._handle = handle;
    link.spawn(options);
  } catch (error) {
    socket?.destroy();
    onRefused(error as Error);
    return;
  }
  socket?.once('error', onRefused);
  socket?.once('connect', () => {
    // From here on the pipe is the link's alone.
    Object.assign(socket as net.Socket, { _handle: null });
    const pipe = channelPipe(link);
    if (pipe === undefined) onRefused(new Error('this version of Node is not known: a channel has no pipe'));
    else onLink(link, pipe);
  });
}
