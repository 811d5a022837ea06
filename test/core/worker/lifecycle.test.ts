import t from 'tap';
import type { LiveState, Policy, WorkerEvent } from '../../../src/core/state/types.js';
import type { MonotonicMs } from '../../../src/monotonic.js';
import { Driver, PORT } from '../driver.js';

const OTHER = '0.0.0.0:9090';

/** A supervisor with a worker 1 in that state, and a sibling that keeps it from ending. */
function withWorker(state: LiveState, policy: Partial<Policy> = {}): Driver {
  const d = Driver.running({ size: 2, policy });
  if (state === 'starting') {
    d.crash(1);
    d.wait(75);
    return d;
  }
  if (state === 'ready') return d;
  d.send({ type: 'disconnected', worker: 1 });
  d.effects.length = 0;
  if (state === 'draining') return d;
  d.send({ type: 'drained', worker: 1 });
  if (state === 'killing') d.wait(d.policy.killTimeoutMs);
  return d;
}

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

t.test('a drain says how long it may take, and whether somebody takes the place', async (t) => {
  const d = Driver.running({ size: 2 });
  d.scale(1);
  t.match(d.done('drain'), [{ worker: 2, windowMs: 30_000, spreadMs: 5_000, reason: 'stopping' }]);
  d.exit(2);
  d.effects.length = 0;
  d.reload();
  d.bindAll();
  t.match(d.done('drain'), [{ worker: 1, reason: 'replaced' }]);
});

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

t.test('the process number is known as soon as there is one', async (t) => {
  const d = Driver.running();
  d.send({ type: 'spawned', worker: 1, pid: 4_711 });
  t.equal(d.worker(1).pid, 4_711);
});

t.test('a worker that does not drain in time is told to end, then killed', async (t) => {
  const d = Driver.running();
  d.reload();
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready']);
  d.wait(29_999);
  t.same(d.done('terminate'), []);
  d.wait(1);
  t.same(d.done('terminate'), [{ do: 'terminate', worker: 1 }]);
  d.wait(4_999);
  t.same(d.done('kill'), []);
  d.wait(1);
  t.same(d.done('kill'), [{ do: 'kill', worker: 1 }]);
  d.exit(1);
  d.wait(100_000);
  t.equal(d.done('kill').length, 1);
});

t.test('a worker keeps the drain time of its own generation', async (t) => {
  const d = Driver.running({ policy: { drainTimeoutMs: 60_000 } });
  d.reload({ drainTimeoutMs: 1_000 });
  d.bindAll();
  d.wait(59_999);
  t.same(d.done('terminate'), []);
  d.wait(1);
  t.equal(d.done('terminate').length, 1);
});

t.test('a worker that is killed during its drain is simply gone', async (t) => {
  const d = Driver.running();
  const request = d.reload();
  d.bindAll();
  d.send({ type: 'exited', worker: 1, code: null, signal: 'SIGKILL', chance: 0, lastLines: [] });
  t.same(d.answers.get(request), { ok: true, reason: null });
  t.same(d.slots(), ['2 ready']);
  t.same(d.state.slots[0]?.crashes, []);
});

t.test('a worker that closes its channel is drained and replaced after the backoff', async (t) => {
  const d = Driver.running({ size: 2 });
  d.send({ type: 'disconnected', worker: 1 });
  t.same(d.slots(), ['1 draining', '1 ready']);
  d.wait(75);
  t.same(d.slots(), ['1 draining, 1 starting', '1 ready']);
  d.settle();
  t.same(d.slots(), ['1 ready', '1 ready']);
});

t.test(
  'the only worker is replaced at once, then after a backoff that grows, until one has lived long enough',
  async (t) => {
    const d = Driver.running({ size: 1 });
    const delays: (number | undefined)[] = [];
    for (const livedMs of [0, 10, 59_999, 60_000]) {
      d.wait(livedMs);
      d.crash(d.in(0));
      const { retryAt } = d.state.slots[0] ?? {};
      delays.push((retryAt ?? d.now) - d.now);
      d.wait(delays.at(-1) ?? 0);
      d.bindAll();
    }
    t.same(delays, [0, 150, 300, 0]);
    t.equal(d.state.slots[0]?.restarts, 4);
  },
);

t.test('who crashes while others serve is replaced after the backoff, the first time as well', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(1);
  t.same(d.slots(), ['', '1 ready']);
  d.crash(2);
  t.same(d.slots(), ['', '1 starting'], 'now nobody serves');
  d.wait(75);
  t.same(d.slots(), ['1 starting', '1 starting']);
});

t.test(
  'a crash loop is told once, is retried at the longest delay, and is over when the crashes are old',
  async (t) => {
    const d = Driver.running({ policy: { maxRestarts: 2, restartWindowMs: 10_000, backoffMaxMs: 4_000 } });
    for (let crash = 0; crash < 3; crash++) {
      t.equal(d.state.crashLoop, false);
      d.crash(d.in(0));
      d.wait(1_000);
      d.bindAll();
    }
    t.equal(d.state.crashLoop, true);
    t.same(d.slots(), [''], 'the first two delays are far shorter');
    d.wait(2_000);
    d.bindAll();
    t.same(d.slots(), ['1 ready']);
    d.wait(10_000);
    t.equal(d.state.crashLoop, false);
  },
);

t.test('several addresses count one by one', async (t) => {
  const d = Driver.running({}, PORT, OTHER);
  d.send({ type: 'closed', worker: 1, key: PORT });
  t.same(d.worker(1).listening, [OTHER]);
  d.bind(1);
  d.bind(1);
  t.same(d.worker(1).listening, [OTHER, PORT]);
});

t.test('a worker that outlives its kill is killed again, at longer and longer intervals', async (t) => {
  const d = Driver.running();
  d.reload();
  d.bindAll();
  d.wait(35_000);
  const kills = () => d.done('kill').length;
  t.equal(kills(), 1);
  d.wait(5_000);
  t.equal(kills(), 2);
  d.wait(9_999);
  t.equal(kills(), 2);
  d.wait(1);
  t.equal(kills(), 3);
  d.exit(1);
  d.wait(1_000_000);
  t.equal(kills(), 3);
});

t.test('a deadline that has passed is done with whatever event comes next', async (t) => {
  const d = Driver.running();
  d.reload();
  d.bindAll();
  d.now += 30_000;
  d.send({ type: 'spawned', worker: 2, pid: 9 });
  t.same(d.done('terminate'), [{ do: 'terminate', worker: 1 }]);
});

t.test('what comes in time counts, also where it is looked at late', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  d.open(1, PORT);
  d.send({ type: 'bound', worker: 1, key: PORT });
  d.now += d.policy.readyTimeoutMs;
  d.send({ type: 'stayed', worker: 1, key: PORT });
  t.same(d.slots(), ['1 ready']);
});

t.test('a worker that has been given a socket drains: it may have accepted before it has said so', async (t) => {
  const d = withWorker('starting');
  const { id } = d.state.workers.find(({ state }) => state === 'starting')!;
  d.open(id, PORT);
  d.send({ type: 'failed', worker: id, reason: 'EIO' });
  t.match(d.done('drain'), [{ worker: id, recipients: [2], addresses: [PORT] }]);
  t.same(d.done('terminate'), []);
});

t.test(
  'one that is stuck before it can say that it listens does not hold up its end for as long as a drain may take',
  async (t) => {
    const d = withWorker('starting', { drainTimeoutMs: 60_000, killTimeoutMs: 1_000 });
    const { id } = d.state.workers.find(({ state }) => state === 'starting')!;
    d.open(id, PORT);
    d.send({ type: 'failed', worker: id, reason: 'it is stuck' });
    d.wait(999);
    t.same(d.done('terminate'), []);
    d.wait(1);
    t.match(d.done('terminate'), [{ worker: id }]);
  },
);

t.test('one that is heard to listen after it was sent away has all the time of a drain', async (t) => {
  const d = withWorker('starting', { drainTimeoutMs: 60_000, killTimeoutMs: 1_000 });
  const { id } = d.state.workers.find(({ state }) => state === 'starting')!;
  d.open(id, PORT);
  d.send({ type: 'failed', worker: id, reason: 'EIO' });
  d.wait(500);
  d.send({ type: 'bound', worker: id, key: PORT });
  // Said again, or of an address that it was not given, it is no news.
  d.wait(1_000);
  d.send({ type: 'bound', worker: id, key: PORT });
  d.send({ type: 'bound', worker: id, key: '0.0.0.0:81' });
  // Its successors come and go meanwhile.
  const isAsked = () => d.done('terminate').some(({ worker }) => worker === id);
  d.wait(58_999);
  t.equal(isAsked(), false);
  d.wait(1);
  t.equal(isAsked(), true);
});

t.test('what a worker could not listen on is remembered for a while, and told once', async (t) => {
  const d = new Driver();
  const told: unknown[] = [];
  d.onReport = ({ message, fields }) => {
    if (message === 'worker cannot listen') told.push(fields.address);
  };
  d.send({ type: 'start' });
  const refuse = (port: number) =>
    d.send({ type: 'bindFailed', worker: 1, key: `0.0.0.0:${port}`, reason: `EADDRINUSE ${port}` });
  for (let time = 0; time < 3; time++) refuse(1);
  t.same(told, ['0.0.0.0:1']);
  for (let port = 2; port < 100; port++) refuse(port);
  t.ok(d.worker(1).refused.length < 10);
  t.match(d.worker(1).refused.at(-1), { key: '0.0.0.0:99' });
  d.bind(1);
  t.same(d.worker(1).refused, [], 'it is ready all the same');
});
