/**
 * News for systemd, as sd_notify(3) has them: assignments, one a line, in a datagram; with file descriptors for its store.
 *
 * Used by what speaks for the supervisor (`service.ts`) and for its sockets (`fd-store.ts`). Must never throw, block or keep
 * the process alive: a supervisor whose news nobody takes goes on.
 */
import { execFile } from 'node:child_process';
import { Socket } from 'node:net';
import type { Datagrams } from '../native/datagrams.js';
import { type Native, NativeError, type NativeLoad } from '../native/libc.js';
import { spawning } from '../spawn.js';

export interface Notifier {
  /** In the order of the calls. Values must not have line ends in them. */
  send(assignments: readonly string[], fds?: readonly number[]): void;
  /** Resolves once systemd has dealt with all that was sent before, or after a second. */
  barrier(): Promise<void>;
  /** Whether file descriptors can be sent along. */
  readonly passesFds: boolean;
  /** Resolves when all is sent, or after a second. Nothing is sent afterwards. */
  close(): Promise<void>;
}

/** How long the end is put off for systemd, which may itself be stuck. */
const PATIENCE_MS = 1_000;
const RETRY_MS = 20;

/**
 * @param socket of NOTIFY_SOCKET
 * @param onFailure told once, with the reason, when nothing can be sent
 */
export function openNotifier(socket: string, native: NativeLoad, onFailure: (reason: string) => void): Notifier {
  return native.ok ? byDatagrams(socket, native.native, onFailure) : byCommand(socket, onFailure);
}

interface Message {
  readonly payload: Buffer;
  /** Its own: by the time that it is sent the numbers may stand for something else. Closed then. */
  readonly fds: readonly number[];
}

function byDatagrams(path: string, native: Native, onFailure: (reason: string) => void): Notifier {
  const queue: Message[] = [];
  let datagrams: Datagrams | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failed = false;
  let idle: (() => void)[] = [];

  function pump(): void {
    timer = undefined;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      try {
        datagrams ??= native.openDatagrams(path);
        datagrams.send(next.payload, next.fds);
      } catch (error) {
        if (error instanceof NativeError && error.code === 'EAGAIN') {
          timer = setTimeout(pump, RETRY_MS).unref();
          return;
        }
        if (!failed) onFailure(error instanceof Error ? error.message : String(error));
        failed = true;
        datagrams?.close();
        datagrams = undefined;
      }
      queue.shift();
      forget(next);
    }
    for (const done of idle.splice(0)) done();
  }

  function forget({ fds }: Message): void {
    for (const fd of fds) native.close(fd);
  }

  function push(message: Message): void {
    queue.push(message);
    if (timer === undefined) pump();
  }

  return {
    passesFds: true,
    send(assignments, fds = []) {
      try {
        push({ payload: Buffer.from(assignments.join('\n')), fds: fds.map((fd) => native.duplicate(fd)) });
      } catch (error) {
        // Out of file descriptors: the socket will not be there after a restart.
        onFailure(error instanceof Error ? error.message : String(error));
      }
    },
    async barrier() {
      try {
        const { read, write } = native.openPipe();
        const reader = new Socket({ fd: read, readable: true, writable: false }).unref();
        const closed = new Promise<void>((resolve) => reader.once('close', () => resolve()));
        reader.on('error', () => {}).resume();
        // systemd closes what came with it when its turn comes; ours goes as soon as it is sent.
        push({ payload: Buffer.from('BARRIER=1'), fds: [write] });
        await withPatience(closed);
        reader.destroy();
      } catch {
        // Without a pipe there is nothing to wait for.
      }
    },
    async close() {
      if (queue.length > 0) await withPatience(new Promise<void>((resolve) => idle.push(resolve)));
      idle = [];
      for (const message of queue.splice(0)) forget(message);
      clearTimeout(timer);
      datagrams?.close();
      datagrams = undefined;
    },
  };
}

/** systemd-notify sends for its parent, which takes privilege; else the unit has to say NotifyAccess=all. */
function byCommand(socket: string, onFailure: (reason: string) => void): Notifier {
  let last: Promise<void> = Promise.resolve();
  let failed = false;
  const run = (assignments: readonly string[]) =>
    new Promise<void>((resolve) => {
      const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket };
      const done = (error: Error | null) => {
        if (error !== null && !failed) onFailure(`systemd-notify failed: ${error.message.split('\n', 1)[0]}`);
        failed ||= error !== null;
        resolve();
      };
      spawning(() => execFile('systemd-notify', [...assignments], { env, timeout: 5_000 }, done)).unref();
    });
  return {
    passesFds: false,
    send(assignments) {
      if (!failed) last = last.then(() => run(assignments));
    },
    barrier: () => withPatience(last),
    close: () => withPatience(last),
  };
}

async function withPatience(promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([promise, patience]);
  clearTimeout(timer);
}
