/** A check of what this Node has inside, as far as workers build on it: a worker is started, given a socket, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import type { IpcCommand, WorkerMessage } from '../../protocol/worker.js';
import { ownFile } from '../own-package.js';
import type { Check, Machine } from './check.js';

export interface InternalsFacts {
  readonly missing: readonly string[];
}

export const CMD: IpcCommand = 'NODE_HOLDFAST';
const PRELOAD = ownFile('dist/worker/preload.js');
const APPLICATION = "require('node:net').createServer().listen(0, '127.0.0.1')";

export const internals: Check<InternalsFacts> = {
  id: 'internals',
  title: 'Node inside a worker',

  async collect({ env }, signal) {
    const server = net.createServer();
    const child = startWorker(APPLICATION, env, 'ignore');
    const closed = new Promise((resolve) => child.once('close', resolve));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
      return { missing: await askWorker(child, server, signal) };
    } finally {
      child.kill('SIGKILL');
      server.close();
      await closed;
    }
  },

  judge({ missing }) {
    if (missing.length === 0) {
      return {
        result: 'ok',
        found: 'every internal of Node that workers use is there',
        meaning: 'workers leave nothing out',
        remedy: null,
      };
    }
    const meaning = 'applications run, but without that: connections may be lost in a reload or a crash';
    const remedy = 'use a version of Node that holdfast names in "engines", and update holdfast';
    return { result: 'degraded', found: `missing: ${missing.join('; ')}`, meaning, remedy };
  },
};

/** @param output what becomes of its own */
export function startWorker(application: string, env: Machine['env'], output: 'ignore' | 'pipe'): ChildProcess {
  return spawn(process.execPath, ['--require', PRELOAD, '-e', application], {
    stdio: ['ignore', output, output, 'ipc'],
    // What node:cluster and the supervisor give to a worker.
    env: { ...env, NODE_UNIQUE_ID: '1', HOLDFAST_WORKER: '1' },
  });
}

/** Resolves once the worker listens, or says that it cannot. */
function askWorker(child: ChildProcess, server: net.Server, signal: AbortSignal): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    let missing: readonly string[] = [];
    signal.addEventListener('abort', () => reject(new Error('it gave no answer')), { once: true });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`a worker exited with code ${code}`)));
    child.on('internalMessage', (message: Partial<WorkerMessage>) => {
      if (message.cmd !== CMD) return;
      if (message.type === 'able') {
        missing = message.missing ?? [];
        if (message.listens === false) resolve(missing);
      } else if (message.type === 'listen') {
        const { _handle: handle } = server as unknown as { _handle: net.Server };
        child.send({ cmd: CMD, type: 'socket', seq: message.seq, key: 'doctor', errno: 0 }, handle);
      } else if (message.type === 'bound') {
        resolve(missing);
      }
    });
  });
}
