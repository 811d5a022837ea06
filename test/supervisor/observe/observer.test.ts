import os from 'node:os';
import t, { type Test } from 'tap';
import type { State } from '../../../src/core/state/types.js';
import type { Log } from '../../../src/logs/logger.js';
import { Observer } from '../../../src/supervisor/observe/observer.js';
import type { WorkerHandle } from '../../../src/supervisor/workers/process/handle.js';
import { statusOf } from '../../control/support/fake-target.js';
import { metricsOf } from '../../monitor/support/exposition.js';
import { measuredOf } from '../../monitor/support/measured.js';

const INTERVAL_MS = 1_000;

/** Two workers that answer at once, and a clock that is set by hand. */
function begin(t: Test) {
  let now = 0;
  let tick = () => {};
  t.intercept(performance, 'now', { value: () => now });
  t.intercept(globalThis, 'setInterval', {
    value: (callback: () => void) => {
      tick = callback;
      return { unref() {} };
    },
  });
  const asked: { at: number; worker: number; application: boolean; resolutionMs: number }[] = [];
  const mute = new Set<number>();
  const workers = new Map<number, WorkerHandle>();
  const ready: { id: number; state: string }[] = [];
  const join = (worker: number) => {
    ready.push({ id: worker, state: 'ready' });
    const identity = { worker, slot: worker - 1 };
    const send = ({ seq, ...wanted }: { seq: number; application: boolean; resolutionMs: number }) => {
      asked.push({ at: now, worker, ...wanted });
      const measured = measuredOf({ requests: now });
      if (!mute.has(worker)) queueMicrotask(() => observer.heard(identity as never, { ...MEASURED, seq, ...measured }));
    };
    workers.set(worker, { identity, connected: true, send } as unknown as WorkerHandle);
  };
  // More than any machine has processors for.
  const state = { workers: ready, size: 1_000_000 } as unknown as State;
  const observer = new Observer({
    state: () => state,
    workers: () => workers,
    outline: async () => statusOf('shop'),
    names: 'holdfast',
    log: {} as Log,
  });
  for (const worker of [1, 2]) join(worker);
  observer.begin({ look: async () => {}, review() {}, hangs() {}, toJSON: () => ({}) });
  return {
    asked,
    join,
    mute,
    workers,
    observer,
    /** Moves the clock, second by second. */
    async until(at: number) {
      while (now + INTERVAL_MS <= at) {
        now += INTERVAL_MS;
        tick();
        await new Promise(setImmediate);
      }
    },
    async scrape(at: number, noCache = false) {
      now = at;
      return metricsOf((await observer.page({ accept: null, byWorker: false, noCache })).body.toString());
    },
  };
}
const MEASURED = { cmd: 'NODE_HOLDFAST', type: 'measured' } as const;

t.test('many workers are told to look seldom how late their loops are', async (t) => {
  const { asked, until } = begin(t);
  await until(INTERVAL_MS);
  t.same(
    asked.map(({ resolutionMs }) => resolutionMs),
    [500, 500],
  );
});

t.test('a scrape that was expected is answered with what was asked before it came; any other asks', async (t) => {
  const { asked, until, scrape } = begin(t);
  const requests = 'holdfast_worker_requests_total{slot="0"}';
  for (const second of [10, 20, 30]) {
    await until(second * INTERVAL_MS);
    asked.length = 0;
    const at = second * INTERVAL_MS + 100;
    t.equal((await scrape(at))[requests], at);
    t.match(asked, [{ worker: 1, application: true }, { worker: 2 }], 'nobody knew that it comes');
  }
  asked.length = 0;
  await until(40_000);
  const wanted = asked.filter(({ application }) => application);
  t.match(
    wanted,
    [
      { at: 39_100, worker: 1 },
      { at: 39_100, worker: 2 },
    ],
    'once, in the second before it',
  );
  asked.length = 0;
  t.equal((await scrape(40_100))[requests], 39_100);
  t.same(asked, [], 'nobody is asked');
  t.equal((await scrape(45_000))[requests], 45_000, 'out of turn');
  t.same(
    asked.map(({ application }) => application),
    [true, true],
  );
});

t.test('a quick scraper of many workers is told what each has told when it was asked last', async (t) => {
  const { asked, join, until, scrape, mute } = begin(t);
  const many = 8 * os.availableParallelism() * 4;
  for (let worker = 3; worker <= many; worker++) join(worker);
  for (const second of [1, 2, 3]) {
    await until(second * INTERVAL_MS);
    await scrape(second * INTERVAL_MS);
  }
  asked.length = 0;
  mute.add(1);
  let silent = 0;
  for (const second of [4, 5, 6, 7]) {
    await until(second * INTERVAL_MS);
    const metrics = await scrape(second * INTERVAL_MS);
    t.equal(asked.length, ((second - 3) * many) / 4, 'a quarter of them in each second');
    const told = Object.keys(metrics).filter((series) => series.startsWith('holdfast_worker_heap_used_bytes'));
    // From its turn on.
    if (asked.some(({ worker }) => worker === 1)) silent = 1;
    t.equal(told.length, many - silent);
    t.equal(metrics.holdfast_scrape_silent_workers, silent);
  }
  t.equal(new Set(asked.map(({ worker }) => worker)).size, many);
  t.equal((await scrape(7_500, true)).holdfast_scrape_silent_workers, 1, 'whoever does not want that asks all');
});

t.test('so is one that does not come each second', async (t) => {
  const { asked, join, until, scrape } = begin(t);
  const many = 8 * os.availableParallelism() * 4;
  for (let worker = 3; worker <= many; worker++) join(worker);
  for (const second of [2, 4, 6]) {
    await until(second * INTERVAL_MS);
    await scrape(second * INTERVAL_MS);
  }
  asked.length = 0;
  for (const second of [8, 10, 12, 14]) {
    await until(second * INTERVAL_MS);
    const metrics = await scrape(second * INTERVAL_MS);
    t.equal(metrics.holdfast_scrape_silent_workers, 0);
    const told = Object.keys(metrics).filter((series) => series.startsWith('holdfast_worker_heap_used_bytes'));
    t.equal(told.length, many);
  }
  t.equal(asked.length, 2 * many, 'each in its turn, twice in eight seconds');
  t.equal(asked.filter(({ application }) => application).length, asked.length, 'for its own metrics, too');
});

t.test('who does not want what was asked before is told how it is now', async (t) => {
  const { asked, until, scrape } = begin(t);
  const requests = 'holdfast_worker_requests_total{slot="0"}';
  for (const second of [10, 20, 30]) {
    await until(second * INTERVAL_MS);
    await scrape(second * INTERVAL_MS);
  }
  await until(39_500);
  asked.length = 0;
  t.equal((await scrape(39_600, true))[requests], 39_600);
  t.match(asked, [
    { worker: 1, application: true },
    { worker: 2, application: true },
  ]);
  asked.length = 0;
  await scrape(40_000);
  t.same(asked, [], 'the one that was expected is so still');
  t.equal((await scrape(40_100, true))[requests], 40_100, 'nor does it share that answer');
  asked.length = 0;
  await scrape(40_200, true);
  t.same(asked, [], 'but the one that was asked for just now');
});

t.test('who was silent then is left out, and so is who has ended since', async (t) => {
  const { until, scrape, mute, workers, observer } = begin(t);
  for (const second of [10, 20, 30]) {
    await until(second * INTERVAL_MS);
    await scrape(second * INTERVAL_MS);
  }
  mute.add(2);
  await until(39_000);
  workers.delete(1);
  observer.gone(1);
  const metrics = await scrape(40_000);
  t.equal(metrics.holdfast_scrape_silent_workers, 1);
  t.same(
    Object.keys(metrics).filter((series) => series.startsWith('holdfast_worker_heap_used_bytes')),
    [],
  );
  t.ok(metrics['holdfast_worker_requests_total{slot="0"}'], 'what it had counted stays');
});

t.test('where a worker has become ready since, all are asked again: none is missing in a scrape', async (t) => {
  const { asked, until, scrape, join } = begin(t);
  for (const second of [10, 20, 30]) {
    await until(second * INTERVAL_MS);
    await scrape(second * INTERVAL_MS);
  }
  await until(39_000);
  join(3);
  asked.length = 0;
  const metrics = await scrape(39_950);
  t.same(
    asked.map(({ worker }) => worker),
    [1, 2, 3],
  );
  t.ok('holdfast_worker_heap_used_bytes{slot="2"}' in metrics);
});
