import t from 'tap';
import type { WorkerEvent } from '../../../src/core/state/events.js';
import type { LiveState } from '../../../src/core/state/types.js';
import type { MonotonicMs } from '../../../src/monotonic.js';
import { Driver, PORT } from '../driver.js';
import { OTHER, withWorker } from '../support/with-worker.js';

type After = LiveState | 'gone';
const EVENTS = {
  attached: {
    type: 'attached',
    slot: 0,
    generation: 1,
    pid: 7,
    uptimeMs: 0,
    saidReady: false,
    held: false,
    listening: [PORT],
    steady: [PORT],
    draining: false,
    drained: false,
  },
  seized: { type: 'seized', reason: 'EPERM' },
  spawned: { type: 'spawned', pid: 7 },
  bound: { type: 'bound', key: PORT },
  stayed: { type: 'stayed', key: PORT },
  closed: { type: 'closed', key: PORT },
  saidReady: { type: 'saidReady' },
  drained: { type: 'drained' },
  unlinked: { type: 'unlinked' },
  resigned: { type: 'resigned' },
  disconnected: { type: 'disconnected' },
  bindFailed: { type: 'bindFailed', key: OTHER, reason: 'EACCES' },
  contested: { type: 'contested', key: OTHER },
  bindDelayed: { type: 'bindDelayed', key: OTHER, until: 99_000 as MonotonicMs },
  failed: { type: 'failed', reason: 'EIO' },
  ended: { type: 'ended' },
  healthTold: { type: 'healthTold', reason: 'GET / answered 500' },
  hung: { type: 'hung', silentMs: 10_000 },
  diagnosed: { type: 'diagnosed' },
  lookedAround: { type: 'lookedAround', seen: null },
  exceeded: { type: 'exceeded', limit: 'maxAge', reason: 'maxAge' },
  exited: { type: 'exited', code: 1, signal: null, chance: 0, lastLines: [] },
} as const;

const TABLE: Record<LiveState, Record<WorkerEvent['type'], After>> = {
  starting: {
    attached: 'starting',
    seized: 'starting',
    spawned: 'starting',
    failed: 'terminating',
    ended: 'starting',
    healthTold: 'starting',
    hung: 'starting',
    diagnosed: 'starting',
    lookedAround: 'starting',
    exceeded: 'starting',
    // Its sibling has shown that they do not only look.
    bound: 'ready',
    stayed: 'starting',
    closed: 'starting',
    saidReady: 'starting',
    drained: 'starting',
    unlinked: 'starting',
    resigned: 'terminating',
    disconnected: 'terminating',
    bindFailed: 'starting',
    contested: 'starting',
    bindDelayed: 'starting',
    exited: 'gone',
  },
  ready: {
    attached: 'ready',
    seized: 'ready',
    spawned: 'ready',
    failed: 'draining',
    ended: 'ready',
    healthTold: 'ready',
    hung: 'terminating',
    diagnosed: 'ready',
    lookedAround: 'ready',
    exceeded: 'ready',
    bound: 'ready',
    stayed: 'ready',
    closed: 'starting',
    saidReady: 'ready',
    drained: 'ready',
    unlinked: 'ready',
    resigned: 'ready',
    disconnected: 'draining',
    bindFailed: 'ready',
    contested: 'ready',
    bindDelayed: 'ready',
    exited: 'gone',
  },
  draining: {
    attached: 'draining',
    seized: 'draining',
    spawned: 'draining',
    failed: 'draining',
    ended: 'draining',
    healthTold: 'draining',
    hung: 'draining',
    diagnosed: 'draining',
    lookedAround: 'draining',
    exceeded: 'draining',
    bound: 'draining',
    stayed: 'draining',
    closed: 'draining',
    saidReady: 'draining',
    drained: 'terminating',
    unlinked: 'draining',
    resigned: 'draining',
    disconnected: 'draining',
    bindFailed: 'draining',
    contested: 'draining',
    bindDelayed: 'draining',
    exited: 'gone',
  },
  terminating: {
    attached: 'terminating',
    seized: 'terminating',
    spawned: 'terminating',
    failed: 'terminating',
    ended: 'terminating',
    healthTold: 'terminating',
    hung: 'terminating',
    diagnosed: 'terminating',
    lookedAround: 'terminating',
    exceeded: 'terminating',
    bound: 'terminating',
    stayed: 'terminating',
    closed: 'terminating',
    saidReady: 'terminating',
    drained: 'terminating',
    unlinked: 'terminating',
    resigned: 'terminating',
    disconnected: 'terminating',
    bindFailed: 'terminating',
    contested: 'terminating',
    bindDelayed: 'terminating',
    exited: 'gone',
  },
  killing: {
    attached: 'killing',
    seized: 'killing',
    spawned: 'killing',
    failed: 'killing',
    ended: 'killing',
    healthTold: 'killing',
    hung: 'killing',
    diagnosed: 'killing',
    lookedAround: 'killing',
    exceeded: 'killing',
    bound: 'killing',
    stayed: 'killing',
    closed: 'killing',
    saidReady: 'killing',
    drained: 'killing',
    unlinked: 'killing',
    resigned: 'killing',
    disconnected: 'killing',
    bindFailed: 'killing',
    contested: 'killing',
    bindDelayed: 'killing',
    exited: 'gone',
  },
};

for (const [from, row] of Object.entries(TABLE) as [LiveState, (typeof TABLE)[LiveState]][]) {
  t.test(`what happens to a worker that is ${from}`, async (t) => {
    for (const [type, after] of Object.entries(row) as [WorkerEvent['type'], After][]) {
      const d = withWorker(from);
      const id = d.state.workers.find((worker) => worker.slot === 0 && worker.state === from)?.id ?? 0;
      d.send({ worker: id, ...EVENTS[type] });
      t.equal(d.state.workers.find((worker) => worker.id === id)?.state ?? 'gone', after, type);
    }
  });
}

t.test('answers of a worker that is gone change nothing', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(1);
  const before = d.state;
  for (const event of Object.values(EVENTS)) {
    // Who attaches is known by what it tells.
    if (event.type === 'attached') continue;
    t.same(d.send({ worker: 1, ...event }), []);
    t.same(d.state, before);
  }
});
