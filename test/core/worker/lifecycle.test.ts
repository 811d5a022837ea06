import t from 'tap';
import { Driver, PORT } from '../driver.js';
import { OTHER, withWorker } from '../support/with-worker.js';

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
