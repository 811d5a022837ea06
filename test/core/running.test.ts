import t from 'tap';
import type { Policy } from '../../src/core/state/types.js';
import { Driver } from './driver.js';

const RUNNING: Partial<Policy> = { ready: 'running', minUptimeMs: 1_000 };

/** Slots with a worker that serves nobody and has been up for long enough. */
function running(size: number, policy: Partial<Policy> = {}): Driver {
  const d = new Driver({ size, policy: { ...RUNNING, ...policy } });
  d.send({ type: 'start' });
  d.wait(1_000);
  return d;
}

t.test('a worker that listens on nothing is ready once it has been up for minUptime, and not before', async (t) => {
  const d = new Driver({ size: 2, policy: RUNNING });
  d.send({ type: 'start' });
  d.wait(999);
  t.same(d.slots(), ['1 starting', '1 starting']);
  t.same(d.done('announceStart'), []);
  t.equal(d.deadline, d.now + 1, 'the loop is woken for it');
  d.wait(1);
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.equal(d.done('announceStart').length, 1);
});

t.test('it is ready before when it says so', async (t) => {
  const d = new Driver({ policy: RUNNING });
  d.send({ type: 'start' });
  d.send({ type: 'saidReady', worker: 1 });
  t.same(d.slots(), ['1 ready']);
});

t.test('one that ends before is a failed start', async (t) => {
  const d = new Driver({ policy: RUNNING });
  d.send({ type: 'start' });
  d.wait(500);
  d.crash(1, 'no database');
  t.match(d.done('end'), [{ reason: /exited with code 1 before it was ready; the last it wrote:\nno database/ }]);
});

t.test('a reload replaces one by one, each only after its successor has been up', async (t) => {
  const d = running(2);
  const request = d.reload(RUNNING);
  t.same(d.slots(), ['1 ready, 2 starting', '1 ready']);
  d.wait(1_000);
  t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting']);
  t.match(d.done('drain'), [{ worker: 1, addresses: [] }]);
  d.send({ type: 'drained', worker: 1 });
  t.match(d.done('terminate'), [{ worker: 1 }], 'by SIGTERM, once nothing is under way');
  d.wait(1_000);
  d.clear();
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('a release that ends before it has been up is rolled back', async (t) => {
  const d = running(2);
  const request = d.reload(RUNNING);
  d.wait(500);
  d.crash(3, 'no database');
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.match(d.answers.get(request), { ok: false, reason: /no database/ });
});

t.test('crashes are replaced after the backoff, and too many are a crash loop', async (t) => {
  const d = running(1, { maxRestarts: 2, restartWindowMs: 60_000 });
  for (let times = 1; times <= 3; times++) {
    d.crash(d.in(0));
    t.same(d.slots(), times === 1 ? ['1 starting'] : [''], 'only the first one is replaced at once');
    if (times < 3) d.wait(2_000);
  }
  t.equal(d.state.crashLoop, true);
});

t.test('what its predecessor listens on it must listen on as well', async (t) => {
  const d = new Driver({ size: 1, policy: RUNNING });
  d.send({ type: 'start' });
  d.bind(1);
  d.wait(1_000);
  const request = d.reload(RUNNING);
  d.wait(1_000);
  t.same(d.slots(), ['1 ready, 2 starting']);
  d.bind(2);
  d.clear();
  t.same(d.answers.get(request), { ok: true, reason: null });
});
