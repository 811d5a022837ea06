import t from 'tap';
import { rowOf, Tallies } from '../../../src/monitor/tallies.js';
import type { SupervisorEvent } from '../../../src/protocol/events.js';
import type { Measured } from '../../../src/protocol/measured.js';
import type { PageEvent, PageNow } from '../../../src/protocol/page.js';
import { PAGE_FIELDS } from '../../../src/protocol/page.js';
import type { WorkerStatus } from '../../../src/protocol/status.js';
import { type Figures, PageFeed } from '../../../src/supervisor/observe/page-feed.js';
import { statusOf } from '../../control/support/fake-target.js';
import { measuredOf } from '../../monitor/support/measured.js';

const worker = (id: number, slot: number) =>
  ({
    id,
    slot,
    generation: 1,
    pid: 7,
    state: 'ready',
    uptimeMs: 5,
    restarts: 1,
    restartReason: 'it crashed',
  }) as WorkerStatus;

function rig() {
  const tallies = new Tallies();
  const known = new Set<number>();
  let now = 1_000_000;
  let tell: (event: SupervisorEvent) => void = () => {};
  let log: ((line: string) => void) | null = null;
  const events: PageEvent[] = [];
  const pageFeed = new PageFeed({
    outline: async () =>
      statusOf('shop', {
        workers: [worker(1, 0), worker(2, 1)],
        addresses: [
          { kind: 'tcp', host: '::', port: 1, sockets: [{ slot: 0, weight: 1, queueLength: 4, backlog: 9 }] },
          {
            kind: 'unix',
            host: '/a',
            port: 0,
            sockets: [{ slot: null, weight: null, queueLength: null, backlog: null }],
          },
        ],
      }),
    followEvents: (onEvent) => {
      tell = onEvent;
      return () => {};
    },
    followLogs: (onLine) => {
      log = onLine;
      return () => {
        log = null;
      };
    },
    recentLogs: () => ['{"msg":"before"}'],
    now: () => now,
  });
  const figures = (...all: readonly [id: number, more: Partial<Measured>][]) =>
    new Map(
      all.map(([id, more]): [number, Figures] => [
        id,
        { row: rowOf(measuredOf(more)), measured: measuredOf(more), heardAt: 0, silentMs: 0 },
      ]),
    );
  return {
    ...{ pageFeed, events, figures },
    follow: () => pageFeed.follow((event) => events.push(event)),
    look: async (seconds: number, of: ReadonlyMap<number, Figures>) => {
      now += seconds * 1000;
      for (const id of known) if (!of.has(id)) tallies.gone(id);
      for (const [id, { row }] of of) {
        known.add(id);
        tallies.heard(id, 0, row.slice());
      }
      await pageFeed.look(
        new Map([...of].map(([id, one]) => [id, { ...one, heardAt: one.heardAt || now }])),
        tallies.total(),
      );
      return events.at(-1)?.event === 'now' ? (events.at(-1)?.data as PageNow) : null;
    },
    tell: (event: object) => tell(event as SupervisorEvent),
    log: (line: string) => log?.(line),
    isLogFollowed: () => log !== null,
  };
}

const byField = (values: readonly (number | null)[]) =>
  Object.fromEntries(PAGE_FIELDS.map((field, i) => [field, values[i]]));

t.test('a second is what has come in it', async (t) => {
  const { figures, follow, look } = rig();
  follow();
  await look(1, figures([1, { requests: 10 }], [2, { requests: 5 }]));
  const latency = [1, 2, ...new Array(77).fill(0), 3];
  latency[52] = 10;
  const more = {
    requests: 30,
    statuses: [0, 0, 7, 1, 1, 5],
    cpuUserMs: 2_500,
    latency,
    accepted: { http1: 7, http2: 2, other: 1 },
  };
  const now = await look(2, figures([1, more], [2, { requests: 5, accepted: { http1: 5, http2: 2, other: 1 } }]));
  t.match(byField(now?.values ?? []), {
    ...{ requests: 10, errors: 2, p50Ms: 1_000, p99Ms: 1_000, loopDelayMs: 4, memoryBytes: 120_000_000, cpu: 0.5 },
    ...{ connections: 6, queue: 4 },
  });
  t.match(now?.workers, [
    { id: 1, slot: 0, requests: 10, errors: 2, p99Ms: 1_000, cpu: 0.5, got: 0.75, restartReason: 'it crashed' },
    { id: 2, slot: 1, requests: 0, p99Ms: null, cpu: 0, got: 0.25 },
  ]);
  t.match(now?.status, { name: 'shop', release: null, size: 2 });
  t.notOk(now && 'script' in now.status);
});

t.test('one that has just come is counted from its beginning, and one that has gone no more', async (t) => {
  const { figures, follow, look } = rig();
  follow();
  await look(1, figures([1, { requests: 1_000 }]));
  const now = await look(1, figures([2, { requests: 3 }]));
  t.equal(byField(now?.values ?? []).requests, 3, 'what the other had counted is no step back');
  t.equal(now?.workers[0]?.requests, null, 'nothing has come of it yet');
  const none = await look(1, figures());
  t.match(byField(none?.values ?? []), { requests: 0, memoryBytes: null, p99Ms: null });
});

t.test('a worker that does not answer is late by as much', async (t) => {
  const { figures, follow, look } = rig();
  follow();
  const silent = new Map([...figures([1, {}])].map(([id, one]) => [id, { ...one, silentMs: 7_000 }]));
  const now = await look(1, silent);
  t.equal(now?.workers[0]?.loopDelayMs, 7_000);
  t.equal(byField(now?.values ?? []).loopDelayMs, 7_000);
});

t.test('of one that is asked seldom the figures are those since it was asked before', async (t) => {
  const { figures, follow, look } = rig();
  follow();
  await look(1, figures([1, { requests: 10 }]));
  const told = figures([1, { requests: 90 }]);
  t.match((await look(4, told))?.workers[0], { requests: 20 });
  const heardAt = 1_005_000;
  const same = new Map([...told].map(([id, one]) => [id, { ...one, heardAt }]));
  t.match((await look(1, same))?.workers[0], { requests: 20 }, 'nobody has asked since');
  const again = new Map([...figures([1, { requests: 91 }])].map(([id, one]) => [id, { ...one, heardAt: heardAt + 5 }]));
  t.match((await look(1, again))?.workers[0], { requests: 81 / 4.005 }, 'nor does it count what a moment has brought');
  const silent = new Map([...same].map(([id, one]) => [id, { ...one, silentMs: 1_000 }]));
  t.match((await look(1, silent))?.workers[0], { requests: 0, cpu: 0 }, 'it answers nobody');
});

t.test('where workers are asked in turn, all together are the sum of what each does', async (t) => {
  const { pageFeed, events, figures, follow } = rig();
  follow();
  const at = (seconds: number, all: ReadonlyMap<number, Figures>) =>
    new Map([...all].map(([id, one]) => [id, { ...one, heardAt: 1_000_000 + seconds * 1_000 }]));
  const total = (requests: number) => rowOf(measuredOf({ requests }));
  const first = at(1, figures([1, { requests: 100 }], [2, { requests: 100 }]));
  await pageFeed.look(first, total(200), true);
  await pageFeed.look(at(5, figures([1, { requests: 140 }], [2, { requests: 180 }])), total(320), true);
  const values = events.flatMap((one) => (one.event === 'now' ? [one.data.values] : []));
  t.equal(byField(values[0] ?? []).requests, null);
  t.equal(byField(values[1] ?? []).requests, 10 + 20, 'not what came in the second in which they were asked');
});

t.test('who begins to look is told of the hour, of what happened and of the log', async (t) => {
  const { events, figures, follow, look, tell, log, isLogFollowed } = rig();
  for (let i = 0; i < 5; i++) t.equal(await look(1, figures([1, {}])), null, 'nobody looks');
  t.notOk(isLogFollowed());
  tell({ type: 'rolloutBegun', from: 1, to: 2, canary: null });
  tell({ type: 'rolloutTakenBack', from: 1, to: 2, reason: 'it crashed' });
  tell({ type: 'workerReady', worker: 6, slot: 1 });
  const leave = follow();
  t.match(events, [
    {
      event: 'history',
      data: {
        at: [1_001, 1_002, 1_003, 1_004, 1_005],
        marks: [
          { kind: 'reload', text: 'generation 2' },
          { kind: 'rolledBack', text: 'generation 2: it crashed' },
        ],
      },
    },
    { event: 'logs', data: { lines: ['{"msg":"before"}'], left: 0 } },
  ]);
  tell({ type: 'sizeChanged', from: 2, to: 3 });
  t.match(events.at(-1), { event: 'mark', data: { kind: 'scale', text: 'from 2 to 3 slots' } });
  const long = JSON.stringify({ level: 'info', slot: 1, other: 'y'.repeat(1_000_000), msg: 'x'.repeat(1_000_000) });
  for (let i = 0; i < 300; i++) log(i === 0 ? 'x'.repeat(1_000_000) : i === 1 ? long : `line ${i}`);
  await look(1, figures([1, {}]));
  const told = events.at(-1);
  t.match(told, { event: 'logs', data: { left: 100 } });
  t.equal(told?.event === 'logs' && told.data.lines.length, 200);
  t.ok(JSON.stringify(told).length < 20_000, 'a line is cut');
  const cut = told?.event === 'logs' ? JSON.parse(told.data.lines[1] ?? '') : null;
  t.match(cut, { level: 'info', slot: 1, msg: /^x{2000}…$/ }, 'and stays what it was');
  t.notOk('other' in cut);
  leave();
  t.notOk(isLogFollowed());
  const before = events.length;
  await look(1, figures([1, {}]));
  t.equal(events.length, before);
});
