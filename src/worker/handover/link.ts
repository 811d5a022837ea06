/**
 * One end of the channel between two workers: records, each with a connection's handle or without.
 *
 * The supervisor makes both ends and passes them on. What comes over it is another worker's: whatever is no record ends the
 * link, and nothing else.
 */
import net from 'node:net';
import os from 'node:os';
import type { TcpHandle } from '../node/handle.js';
import { IPC, type PipeHandle, seeRequestClass, type WriteRequestClass } from '../node/pipe.js';
import { decode, encode, type Message, RECORD_BYTES } from './record.js';

/** Node's class of write requests, which it exports nowhere. */
let Request: WriteRequestClass | undefined;

export interface LinkOptions {
  readonly handle: PipeHandle;
  /** Called for each record; the handle is the callee's from then on. */
  readonly onMessage: (message: Message, handle: TcpHandle | undefined) => void;
  /** The other end is gone, or has said what nobody understands. Called once. */
  readonly onEnd: () => void;
  /** Says something over this process's own channel. */
  readonly speak: () => void;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #pipe: PipeHandle;
  readonly #socket: net.Socket;
  #pending: Buffer = Buffer.alloc(0);
  #arrived: TcpHandle | undefined;
  #ended = false;
  #abandoned = false;

  /** @throws where this Node does not let us */
  constructor(options: LinkOptions) {
    const { handle } = options;
    this.#options = options;
    // The same file descriptor as that of the handle, which must never be closed: the number may be another file's by then.
    this.#pipe = new handle.constructor(IPC);
    const errno = this.#pipe.open(handle.fd);
    if (typeof errno === 'number' && errno !== 0) throw new Error(`the channel cannot be opened: errno ${errno}`);
    const onread = {
      buffer: Buffer.alloc(RECORD_BYTES),
      callback: (count: number, bytes: Uint8Array) => this.#read(count, bytes),
    };
    this.#socket = new net.Socket({ handle: this.#pipe, onread } as net.SocketConstructorOpts);
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#end());
    this.#socket.unref();
  }

  /**
   * Either end says so before anything else. Where the other has ended meanwhile, this end is closed, and `onEnd` says so.
   *
   * @returns false where this Node does not let us: then the link is closed
   */
  hello(able: boolean): boolean {
    Request ??= seeRequestClass(this.#pipe, this.#options.speak);
    if (Request === undefined || this.send({ type: 'hello', able }) !== 0) this.close();
    return Request !== undefined;
  }

  /**
   * Past the stream: a write that fails must not destroy what is still to be read.
   *
   * @param onFailed it did not reach the other end, and never will; only called after a 0
   * @returns 0 or a negative errno
   */
  send(message: Message, handle?: TcpHandle, onFailed: () => void = () => {}): number {
    if (this.#ended || this.#abandoned || Request === undefined) return -os.constants.errno.EPIPE;
    const request = new Request();
    if (handle !== undefined) request.handle = handle;
    request.oncomplete = (status) => {
      if (status < 0) onFailed();
    };
    return this.#pipe.writeLatin1String(request, encode(message).toString('latin1'), handle);
  }

  /** Reads no more; the other end hears of it, unless somebody else holds this one as well. */
  close(): void {
    this.#socket.destroy();
  }

  /** Takes and says nothing more; the other end hears of it, whoever else holds this one. */
  abandon(): void {
    this.#abandoned = true;
    this.#socket.destroySoon();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#arrived?.close();
    this.#arrived = undefined;
    this.#options.onEnd();
  }

  /** @returns true: go on reading */
  #read(count: number, bytes: Uint8Array): boolean {
    const { pendingHandle } = this.#pipe;
    if (pendingHandle) {
      this.#pipe.pendingHandle = null;
      // A handle belongs to the record of the same read: one that is left over is nobody's.
      this.#arrived?.close();
      this.#arrived = pendingHandle;
    }
    this.#pending = Buffer.concat([this.#pending, bytes.subarray(0, count)]);
    while (this.#pending.length >= RECORD_BYTES) {
      const message = decode(this.#pending.subarray(0, RECORD_BYTES));
      this.#pending = this.#pending.subarray(RECORD_BYTES);
      const handle = this.#arrived;
      this.#arrived = undefined;
      if (message === undefined || this.#abandoned) {
        handle?.close();
        if (!this.#abandoned) this.abandon();
        return false;
      }
      this.#options.onMessage(message, handle);
    }
    return true;
  }
}
