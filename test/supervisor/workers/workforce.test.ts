import { EventEmitter } from 'node:events';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import type { Config } from '../../../src/config/config.js';
import type { AnyEvent } from '../../../src/core/supervision.js';
import { createLog } from '../../../src/logs/logger.js';
import type { WorkerMessage } from '../../../src/protocol/worker.js';
import type { ForkListener, WorkerProcess } from '../../../src/supervisor/workers/process/fork.js';
import { Workforce } from '../../../src/supervisor/workers/workforce.js';
import type { WorkforceOptions } from '../../../src/supervisor/workers/workforce-options.js';
import { withResolvers } from '../support/with-resolvers.js';

/** One that was forked early; it does what the test has it do. */
class FirstWorker implements WorkerProcess {
  readonly process = Object.assign(new EventEmitter(), { connected: false }) as unknown as WorkerProcess['process'];
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly outlives = false;
  readonly isUntold = false;
  #listener: ForkListener | undefined;

  take({ worker }: { worker: number }): WorkerProcess | null {
    return worker === 1 ? this : null;
  }

  listen(listener: ForkListener): void {
    this.#listener = listener;
  }

  hasBound(): void {
    const message = { cmd: 'NODE_HOLDFAST', type: 'bound', key: '127.0.0.1:1' } as unknown as WorkerMessage;
    this.#listener?.onMessage(message);
  }

  ends(): void {
    for (const output of [this.stdout, this.stderr]) output.end();
    this.#listener?.onExit(1, null);
  }

  disconnect(): void {}
  signal(): void {}
  destroy(): void {}
}

/** Two workers that have just been asked for. The second is a process, which ends at once: it has no script. */
function twoWorkers(t: Test) {
  const folder = t.testdir();
  const script = path.join(folder, 'none.cjs');
  const config = { script, args: [], nodeArgs: [], env: { NODE_OPTIONS: '' } } as unknown as Config;
  const release = { id: 1, config, script, cwd: folder, fingerprint: '', loadedAtMs: 0, scriptChangedAtMs: 0 };
  const first = new FirstWorker();
  const events: string[] = [];
  const ended = withResolvers<void>();
  const dispatch = (event: AnyEvent) => {
    if (event.type !== 'spawned' && event.type !== 'exited') return;
    events.push(`${event.type} ${event.worker}`);
    if (event.type === 'exited' && event.worker === 2) ended.resolve();
  };
  const nobody = { forget: () => {}, gone: () => {}, heard: () => {}, leaving: () => null };
  const options = {
    ...{ name: 'x', dispatch, isRestarting: () => false, shared: { paths: [], restoreNames: () => {} } },
    ...{ listening: nobody, examinations: nobody, observing: nobody, firstWorker: first },
    log: createLog({ name: 'x', logLevel: 'info', logFormat: 'json', logFile: path.join(folder, 'log') }),
  };
  const workforce = new Workforce(options as unknown as WorkforceOptions);
  t.teardown(async () => {
    workforce.kill(2, false);
    await ended.promise;
  });
  for (const worker of [1, 2]) {
    workforce.spawn({ do: 'spawn', worker, slot: worker - 1, generation: 1, held: false }, release);
  }
  t.same([...workforce.workers.keys()], [1], 'the second one waits');
  return { workforce, first, events };
}

t.test('the others are forked as soon as the first listens', async (t) => {
  const { first, events } = twoWorkers(t);
  first.hasBound();
  t.same(events, ['spawned 2']);
});

t.test('the others are forked at once where the first has ended', async (t) => {
  const { first, events } = twoWorkers(t);
  first.ends();
  while (!events.includes('exited 1')) await new Promise(setImmediate);
  t.same(events, ['spawned 2', 'exited 1']);
});

t.test('who is to end, or to be killed, is forked before its turn: its exit is waited for', async (t) => {
  for (const end of ['terminate', 'kill'] as const) {
    const { workforce, events } = twoWorkers(t);
    workforce[end](2, false);
    t.same(events, ['spawned 2'], end);
  }
});
