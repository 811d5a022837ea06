/**
 * Whether a worker goes on without its supervisor, and finds the next one: tried. A worker is started, its channel is closed, it has
 * to come to a socket as that of the next supervisor, and to answer a request while it belongs to nobody.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { SupervisorMessage, WorkerMessage } from '../../protocol/worker.js';
import { bindSocket } from '../../sockets/bind/bind.js';
import type { TcpHandle } from '../../sockets/handles/handle.js';
import { type Check, reasonOf } from './check.js';
import { CMD, startWorker } from './internals.js';
import { LOOPBACK } from './loopback.js';

export interface TakeoverFacts {
  /** What went wrong; null if nothing did. */
  readonly failure: string | null;
  /** proc(5) shows with which variables the worker was started: by them the next supervisor finds it. */
  readonly isSeen: boolean;
  /** This process is the first of its PID namespace, and so would be a supervisor in its place. */
  readonly isFirst: boolean;
}

const APPLICATION = `require('node:http').createServer((request, response) => response.end('served')).listen(0, '127.0.0.1')`;
/** Should this process be killed meanwhile, the worker ends by itself after that. */
const LONGEST_MS = 10_000;

type Sent<T> = T extends unknown ? Omit<T, 'cmd'> : never;

export const takeover: Check<TakeoverFacts> = {
  id: 'takeover',
  title: 'workers without a supervisor',

  async collect({ env, native, root }, signal) {
    signal.throwIfAborted();
    const isFirst = process.pid === 1;
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-doctor-'));
    const attachAt = path.join(folder, 'attach');
    const { handle, port } = bindSocket({ ...LOOPBACK, port: 0 }, null, native);
    const own = { HOLDFAST_SLOT: '0', HOLDFAST_GENERATION: '1', HOLDFAST_ATTACH: termsOf(attachAt) };
    const child = startWorker(APPLICATION, { ...env, ...own }, 'pipe');
    // Not `close`: nobody reads what it prints.
    const gone = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
    const next = net.createServer();
    const ended = endOf(child, signal);
    // Whoever gives up may end this process at once.
    const tidy = () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };
    signal.addEventListener('abort', tidy, { once: true });
    try {
      await Promise.race([ended, untilServing(child, handle)]);
      const isSeen = await isOurs(root, child.pid ?? 0, attachAt);
      child.disconnect();
      next.listen(attachAt);
      await Promise.race([ended, untilAttached(next)]);
      // It has nobody again: whoever it has come to has hung up.
      await Promise.race([ended, ask(port, signal)]);
      return { failure: null, isSeen, isFirst };
    } catch (error) {
      // Nobody waits for it any more.
      signal.throwIfAborted();
      return { failure: reasonOf(error), isSeen: false, isFirst };
    } finally {
      tidy();
      handle.close();
      next.close();
      await gone;
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
    }
  },

  judge({ failure, isSeen, isFirst }) {
    if (failure !== null) {
      return {
        result: 'missing',
        found: failure,
        meaning: 'workers end with their supervisor, and it cannot be upgraded in place',
        remedy: 'use a version of Node that holdfast names in "engines", and update holdfast',
      };
    }
    if (!isSeen) {
      return {
        result: 'missing',
        found: 'a worker serves on, but /proc does not show whose it is',
        meaning:
          'the next supervisor does not find the workers of one that was killed, and they end after orphanTimeout',
        remedy: 'use Linux, with /proc mounted',
      };
    }
    const found = 'a worker whose supervisor had gone answered a request, and came to the next one';
    const meaning = isFirst
      ? 'an upgrade keeps the workers; here the supervisor is process 1, and everything ends with it if it is killed'
      : 'workers keep serving when their supervisor is killed or upgraded, and the next one takes them over';
    return { result: 'ok', found, meaning, remedy: null };
  },
};

/** How it is to be without one: `EndTerms` of the worker. */
function termsOf(attachAt: string): string {
  return JSON.stringify({
    ...{ path: attachAt, orphanTimeoutMs: LONGEST_MS, drainTimeoutMs: 0, spreadMs: 0, killTimeoutMs: 0 },
    ...{ sayShutdown: 'late', takesChildren: false },
  });
}

/** Rejects once the process has ended, or nobody waits any longer. */
function endOf(child: ChildProcess, signal: AbortSignal): Promise<never> {
  const ended = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    child.once('error', reject);
    child.once('exit', (code, by) => reject(new Error(`the worker ended with ${by ?? `code ${code}`}`)));
  });
  // It is killed in the end, and then nobody listens.
  ended.catch(() => {});
  return ended;
}

/** It listens, and can read what it prints: by then it may lose its supervisor. */
function untilServing(child: ChildProcess, socket: TcpHandle): Promise<void> {
  const send = (message: Sent<SupervisorMessage>, handle?: unknown) =>
    child.send({ cmd: CMD, ...message }, handle as never);
  return new Promise((resolve) => {
    child.on(
      'internalMessage',
      ({ cmd, type, seq = 0 }: { cmd?: string; type?: WorkerMessage['type']; seq?: number }) => {
        if (cmd !== CMD) return;
        if (type === 'bound') resolve();
        if (type !== 'listen') return;
        for (const stream of [child.stdout, child.stderr]) {
          send({ type: 'output' }, (stream as unknown as { readonly _handle: unknown })._handle);
        }
        send({ type: 'socket', seq, key: 'doctor', errno: 0 }, socket);
      },
    );
  });
}

/** As the next supervisor looks for it (`src/supervisor/takeover/orphans.ts`). */
async function isOurs(root: string, pid: number, attachAt: string): Promise<boolean> {
  const variables = await readFile(path.join(root, 'proc', String(pid), 'environ'), 'utf8').catch(() => '');
  return variables.split('\0').some((one) => one.startsWith('HOLDFAST_ATTACH=') && one.includes(attachAt));
}

/** An orphan comes, and says who it is. Hangs up. */
async function untilAttached(server: net.Server): Promise<void> {
  const [connection] = (await once(server, 'connection')) as [net.Socket];
  connection.on('error', () => {});
  const [said] = (await once(connection, 'data')) as [Buffer];
  connection.destroy();
  if (!said.includes('"type":"attach"')) throw new Error('the worker did not say who it is');
}

async function ask(port: number, signal: AbortSignal): Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  const request = http.get({ host: LOOPBACK.host, port, agent, signal });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const { socket } = response;
  const answer = await text(response);
  // Leaves nothing in TIME_WAIT.
  socket.resetAndDestroy();
  if (answer !== 'served') throw new Error('the worker gave a wrong answer');
}
