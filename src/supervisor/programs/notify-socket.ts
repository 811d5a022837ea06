/**
 * The socket by which a program says that it is ready: `READY=1`, as sd_notify(3) has it. One for each worker, so that nobody can
 * speak for another one. Needs libc: Node has no unix sockets for datagrams.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Native } from '../../native/libc.js';
import { wrapPipe } from '../../sockets/handles/handle.js';

/** `sizeof(sun_path)` of Linux, with its end. */
const PATH_BYTES = 108;

export class NotifySocket {
  readonly path: string;
  readonly #folder: string | null;
  readonly #native: Native;
  #fd: number | null;
  #socket: Socket | null = null;
  #closed = false;

  /** @param folder that only this user may enter. @throws NativeError, and what the file system says */
  constructor(native: Native, folder: string, name: string) {
    this.#native = native;
    const wanted = path.resolve(folder, name);
    this.#folder = Buffer.byteLength(wanted) < PATH_BYTES ? null : mkdtempSync(path.join(os.tmpdir(), 'holdfast-'));
    this.path = this.#folder === null ? wanted : path.join(this.#folder, 'notify');
    this.#fd = this.#bind();
  }

  /**
   * @param like a stream of the process, which is a pipe as well
   * @param onReady told each time that it says so
   */
  listen(like: Readable, onReady: () => void): void {
    const fd = this.#fd;
    if (this.#closed || fd === null) return;
    this.#fd = null;
    const socket = new Socket({ handle: wrapPipe(like, fd), readable: true, writable: false } as object).unref();
    this.#socket = socket;
    // Each chunk is a datagram.
    socket.on('data', (datagram: Buffer) => {
      if (isReady(datagram.toString('latin1'))) onReady();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#closed) return;
      // An empty datagram looks like the end.
      this.#fd = this.#bind();
      this.listen(like, onReady);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket?.destroy();
    if (this.#fd !== null) this.#native.close(this.#fd);
    rmSync(this.#folder ?? this.path, { recursive: true, force: true });
  }

  #bind(): number {
    rmSync(this.path, { force: true });
    return this.#native.bindDatagrams(this.path);
  }
}

/** Assignments, one a line. */
export function isReady(datagram: string): boolean {
  return datagram.split('\n').includes('READY=1');
}

/** Of one name: what a supervisor that was killed has left. */
export function notifyName(name: string, worker: number): string {
  return `.${name}-${worker}.notify`;
}

/** Must be called before the first one is made. */
export function removeLeftSockets(folder: string, name: string): void {
  const left = new RegExp(`^\\.${name.replaceAll('.', '\\.')}-\\d+\\.notify$`);
  try {
    for (const file of readdirSync(folder)) if (left.test(file)) rmSync(path.join(folder, file), { force: true });
  } catch {
    // There is no folder yet.
  }
}
