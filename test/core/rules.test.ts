import t from 'tap';
import type { MonotonicMs } from '../../src/monotonic.js';
import { Driver, PORT } from './driver.js';

const OTHER = '0.0.0.0:9090';

t.test('the wait for an address does not count: what a worker had left it has left afterwards', async (t) => {
  const d = new Driver({ policy: { readyTimeoutMs: 2_000 } });
  d.send({ type: 'start' });
  d.wait(500);
  d.send({ type: 'bindDelayed', worker: 1, key: PORT, until: (d.now + 20_000) as MonotonicMs });
  d.wait(15_000);
  t.same(d.slots(), ['1 starting']);
  d.bind(1);
  t.same(d.slots(), ['1 ready']);
});

t.test('the time goes on when the address is there, and only when the last one is', async (t) => {
  const d = new Driver({ policy: { readyTimeoutMs: 2_000, ready: 'message' } });
  d.send({ type: 'start' });
  d.wait(500);
  for (const key of [PORT, OTHER]) {
    d.send({ type: 'bindDelayed', worker: 1, key, until: (d.now + 20_000) as MonotonicMs });
  }
  d.wait(10_000);
  d.bind(1, PORT);
  d.wait(5_000);
  t.same(d.slots(), ['1 starting']);
  d.bind(1, OTHER);
  d.wait(1_499);
  t.same(d.slots(), ['1 starting']);
  d.wait(1);
  t.same(d.slots(), ['1 draining']);
});

t.test('on trial only memory and loop delay can fail a worker', async (t) => {
  for (const limit of ['maxRequests', 'maxAge'] as const) {
    const d = Driver.running({ size: 2 });
    const request = d.reload({ soakMs: 1_000 });
    d.bindAll();
    d.send({ type: 'exceeded', worker: 3, limit, reason: limit });
    d.settle();
    t.match(d.answers.get(request), { ok: true }, limit);
    t.equal(d.state.totals.restarts.recycled, 1, 'and it is recycled once there is time');
  }
  for (const limit of ['maxMemory', 'maxEventLoopDelay'] as const) {
    const d = Driver.running({ size: 2 });
    const request = d.reload({ soakMs: 1_000 });
    d.bindAll();
    d.send({ type: 'exceeded', worker: 3, limit, reason: limit });
    d.settle();
    t.match(d.answers.get(request), { ok: false }, limit);
  }
});

t.test('slots that all crash once together all come back at once', async (t) => {
  const d = Driver.running({ size: 14, policy: { maxRestarts: 10 } });
  for (let worker = 1; worker <= 14; worker++) d.crash(worker);
  t.equal(d.state.crashLoop, false);
  d.wait(100);
  t.equal(d.count('starting'), 14);
});

t.test('the longest delay is only for a slot with a history of its own', async (t) => {
  const d = Driver.running({ size: 3, policy: { maxRestarts: 2, backoffMaxMs: 30_000 } });
  for (let crash = 0; crash < 3; crash++) {
    d.crash(d.in(0));
    d.wait(10_000);
    d.bindAll();
  }
  t.equal(d.state.crashLoop, true);
  t.same(d.slots(), ['', '1 ready', '1 ready']);
  d.crash(d.in(1));
  d.wait(75);
  t.same(d.slots(), ['', '1 starting', '1 ready']);
});

t.test('a slot that is in a crash loop and is scaled away takes it along', async (t) => {
  const d = Driver.running({ size: 2, policy: { maxRestarts: 0, backoffMaxMs: 5_000 } });
  d.crash(2);
  t.equal(d.state.crashLoop, true);
  d.scale(1);
  t.equal(d.state.crashLoop, false);
});

t.test('recycling beside a finished slot comes to its end', async (t) => {
  const d = Driver.running({ size: 2, policy: { stopExitCodes: [64] } });
  d.send({ type: 'exited', worker: 1, code: 64, signal: null, chance: 0, lastLines: [] });
  d.send({ type: 'exceeded', worker: 2, limit: 'maxRequests', reason: 'maxRequests: 50 of 50' });
  t.same(d.slots(), ['', '1 ready, 1 starting']);
  d.settle();
  t.same(d.slots(), ['', '1 ready']);
  t.equal(d.worker(3).recycleReason, null);
});

t.test('a finished slot adds nothing to what may be started beside the others', async (t) => {
  const d = Driver.running({ size: 3, policy: { stopExitCodes: [64] } });
  d.send({ type: 'exited', worker: 1, code: 64, signal: null, chance: 0, lastLines: [] });
  d.send({ type: 'exceeded', worker: 2, limit: 'maxAge', reason: 'maxAge' });
  d.send({ type: 'exceeded', worker: 3, limit: 'maxAge', reason: 'maxAge' });
  t.equal(d.count('starting'), 1);
});

t.test('of many reloads with long drains only a few workers of a slot drain, the oldest goes first', async (t) => {
  const d = Driver.running({ size: 2, policy: { maxDraining: 2, drainTimeoutMs: 3_600_000 } });
  for (let reload = 0; reload < 12; reload++) {
    d.reload();
    d.bindAll();
    d.bindAll();
  }
  t.equal(d.count('draining'), 4);
  t.same(
    d.done('terminate').map(({ worker }) => worker),
    Array.from({ length: 20 }, (_none, i) => i + 1),
  );
});

t.test('a stop lets all of them drain', async (t) => {
  const d = Driver.running({ size: 3, policy: { maxDraining: 1, surge: 3 } });
  d.reload();
  d.bindAll();
  d.stop();
  t.same(d.done('terminate'), []);
});

t.test('a successor whose process has ended does not count as soaked', async (t) => {
  const d = Driver.running({ size: 2, policy: { surge: 2, soakMs: 1_000 } });
  d.wait(1_000);
  d.reload();
  d.bindAll();
  d.send({ type: 'ended', worker: 3 });
  d.wait(1_000);
  t.same(d.slots(), ['1 ready, 2 ready', '1 draining, 2 ready']);
  d.crash(3);
  t.equal(d.state.rollout.state, 'rollingBack');
});

/** Each worker comes to its limit so long after it was ready; how long the recycling then waits. */
function recycleDelays(d: Driver, ages: readonly number[]): number[] {
  return ages.map((ageMs) => {
    d.wait(ageMs);
    d.send({ type: 'exceeded', worker: d.in(0), limit: 'maxMemory', reason: 'maxMemory: 210 MiB of 200 MiB' });
    const waitMs = Math.max(0, (d.state.slots[0]?.recycleAt ?? d.now) - d.now);
    d.wait(waitMs);
    d.settle();
    return waitMs;
  });
}

t.test('a limit that every new worker reaches within seconds is backed off from', async (t) => {
  const d = Driver.running({ size: 1, policy: { backoffMaxMs: 30_000 } });
  t.same(recycleDelays(d, [100_000, 5_000, 5_000, 5_000, 5_000]), [0, 0, 5_000, 10_000, 15_000]);
  t.equal(d.state.slots[0]?.recycled, 5);
});

t.test('it is forgotten once a worker has lived long enough, and with a new release', async (t) => {
  const d = Driver.running({ size: 1 });
  recycleDelays(d, [5_000, 5_000]);
  t.equal(d.state.slots[0]?.early, 2);
  recycleDelays(d, [60_000]);
  t.equal(d.state.slots[0]?.early, 0);
  recycleDelays(d, [5_000, 5_000]);
  d.reload();
  t.equal(d.state.slots[0]?.early, 0);
});

t.test('it is told as a warning that says what to do', async (t) => {
  const d = Driver.running({ size: 1 });
  const told: unknown[] = [];
  d.onReport = (report) => told.push(report);
  recycleDelays(d, [5_000, 5_000]);
  t.match(
    told.filter((report) => (report as { level: string }).level === 'warn'),
    [
      {
        message: 'limit too low',
        fields: { slot: 0, reason: 'maxMemory: 210 MiB of 200 MiB', hint: /within 5 s: raise maxMemory/ },
      },
    ],
  );
});

t.test('a worker at its limit keeps its seat when its successor fails', async (t) => {
  const d = Driver.running({ size: 1 });
  d.send({ type: 'exceeded', worker: 1, limit: 'maxAge', reason: 'maxAge' });
  d.crash(2);
  t.same(d.slots(), ['1 ready']);
  d.wait(75);
  d.settle();
  t.same(d.slots(), ['1 ready']);
  t.equal(d.worker(3).recycleReason, null);
});

t.test('a successor that comes to a limit before it has soaked takes the place all the same', async (t) => {
  const d = Driver.running({ size: 1, policy: { soakMs: 1_000 } });
  d.wait(1_000);
  d.send({ type: 'exceeded', worker: 1, limit: 'maxRequests', reason: 'maxRequests' });
  d.bind(2);
  d.send({ type: 'exceeded', worker: 2, limit: 'maxRequests', reason: 'maxRequests' });
  d.wait(1_000);
  t.match(d.slots()[0], /^1 draining, 1 ready/);
});
