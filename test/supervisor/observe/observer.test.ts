import os from 'node:os';
import t, { type Test } from 'tap';
import type { State } from '../../../src/core/state/types.js';
import type { Log } from '../../../src/logs/logger.js';
import { Observer } from '../../../src/supervisor/observe/observer.js';
import type { Figures, PageFeed } from '../../../src/supervisor/observe/page-feed.js';
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
  const asked: { at: number; worker: number; application: boolean; resolutionMs: number; gcWeight: number }[] = [];
  const mute = new Set<number>();
  const workers = new Map<number, WorkerHandle>();
  const ready: { id: number; state: string }[] = [];
  const join = (worker: number) => {
    ready.push({ id: worker, state: 'ready' });
    const identity = { worker, slot: worker - 1 };
    const send = ({ seq, ...wanted }: { seq: number } & Omit<(typeof asked)[number], 'at' | 'worker'>) => {
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
  const looks: { readonly figures: ReadonlyMap<number, Figures>; readonly isInTurn: boolean | undefined }[] = [];
  const look: PageFeed['look'] = async (figures, _total, isInTurn) => {
    looks.push({ figures, isInTurn });
  };
  observer.begin({ look, review() {}, hangs() {}, toJSON: () => ({}) });
  return {
    asked,
    join,
    looks,
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
/** So many that each has its turn every four seconds, after three scrapes at even distances, in seconds. */
async function beginMany(t: Test, scrapes: readonly number[]) {
  const rig = begin(t);
  const many = 4 * os.availableParallelism() * 4;
  for (let worker = 3; worker <= many; worker++) rig.join(worker);
  for (const second of scrapes) {
    await rig.until(second * INTERVAL_MS);
    await rig.scrape(second * INTERVAL_MS);
  }
  rig.asked.length = 0;
  return { ...rig, many };
}

/** How many workers have told how they are. */
function gauges(metrics: object): number {
  return Object.keys(metrics).filter((series) => series.startsWith('holdfast_worker_heap_used_bytes')).length;
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

t.test('what is kept of an answer has nothing of the application: its description may be long', async (t) => {
  const { observer, looks, until } = begin(t);
  const application = { version: 1, schema: '[]', values: [], left: 0, failure: null };
  observer.heard({ worker: 1, slot: 0 } as never, { ...MEASURED, seq: 0, ...measuredOf({ requests: 7 }), application });
  await until(INTERVAL_MS);
  const kept = looks.at(-1)?.figures.get(1)?.measured;
  t.match(kept, { requests: 7 });
  t.notOk(kept && 'application' in kept);
});

t.test('of many workers the garbage collections of some are observed at a time', async (t) => {
  const { asked, join, observer, until } = begin(t);
  const turns = Math.ceil(1_000_000 / (4 * os.availableParallelism()));
  join(turns);
  await until(INTERVAL_MS);
  t.same(
    asked.map(({ gcWeight }) => gcWeight),
    [0, 0, turns],
  );
  const next = async (at: number) => {
    asked.length = 0;
    await until(at * INTERVAL_MS);
    return asked.find(({ worker }) => worker === turns)?.gcWeight;
  };
  t.equal(await next(2), 0, 'it has had its turn');
  observer.gone(turns);
  t.equal(await next(3), turns, 'the number of one that has gone is that of nobody');
});

t.test('the start is told as the status tells it, in each scrape, and by the supervisor of an upgrade', async (t) => {
  const { scrape, observer } = begin(t);
  const start = 'holdfast_supervisor_start_time_seconds';
  const told = await scrape(70_000);
  t.equal(told[start], (performance.timeOrigin + 70_000 - 65_000) / 1000, 'the status has it up for 65 s');
  t.equal((await scrape(90_000))[start], told[start]);
  const next = new Observer(
    {
      ...{ state: () => ({ workers: [], size: 1 }) as unknown as State, workers: () => new Map() },
      ...{ outline: async () => statusOf('shop'), names: 'holdfast', log: {} as Log },
    },
    JSON.parse(JSON.stringify(observer)),
  );
  const { body } = await next.page({ accept: null, byWorker: false, noCache: false });
  t.equal(metricsOf(body.toString())[start], told[start]);
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
  const { asked, many, until, scrape, mute } = await beginMany(t, [1, 2, 3]);
  mute.add(1);
  let silent = 0;
  for (const second of [4, 5, 6, 7]) {
    await until(second * INTERVAL_MS);
    const metrics = await scrape(second * INTERVAL_MS);
    t.equal(asked.length, ((second - 3) * many) / 4, 'a quarter of them in each second');
    // From its turn on.
    if (asked.some(({ worker }) => worker === 1)) silent = 1;
    t.equal(gauges(metrics), many - silent);
    t.equal(metrics.holdfast_scrape_silent_workers, silent);
  }
  t.equal(new Set(asked.map(({ worker }) => worker)).size, many);
  t.equal((await scrape(7_500, true)).holdfast_scrape_silent_workers, 1, 'whoever does not want that asks all');
});

t.test('so is one that does not come each second', async (t) => {
  const { asked, many, until, scrape } = await beginMany(t, [3, 6, 9]);
  for (const second of [12, 15, 18, 21]) {
    await until(second * INTERVAL_MS);
    const metrics = await scrape(second * INTERVAL_MS);
    t.equal(metrics.holdfast_scrape_silent_workers, 0);
    t.equal(gauges(metrics), many);
  }
  t.equal(asked.length, 3 * many, 'each in its turn, three times in twelve seconds');
  t.equal(asked.filter(({ application }) => application).length, asked.length, 'for its own metrics, too');
});

t.test('a worker whose channel is closed is told as silent, not as what it told last', async (t) => {
  const { looks, many, until, scrape, workers } = await beginMany(t, [1, 2, 3]);
  Object.assign(workers.get(1) ?? {}, { connected: false });
  for (const second of [4, 5]) {
    await until(second * INTERVAL_MS);
    const metrics = await scrape(second * INTERVAL_MS);
    t.equal(gauges(metrics), many - 1);
    t.equal(metrics.holdfast_scrape_silent_workers, 1);
  }
  const { figures, isInTurn } = looks.at(-1) ?? {};
  t.equal(figures?.get(1)?.silentMs, 2 * INTERVAL_MS, 'for the page, too');
  t.equal(figures?.get(2)?.silentMs, 0);
  t.equal(isInTurn, true);
});

t.test('the page is told whether workers are asked in turn', async (t) => {
  const { looks, until } = begin(t);
  await until(INTERVAL_MS);
  t.match(looks, [{ isInTurn: false }]);
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
