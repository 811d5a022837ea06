import t from 'tap';
import { nextDeadline } from '../../src/core/deadline.js';
import { Driver, PORT } from './driver.js';

t.test('nothing is waited for when all is well', async (t) => {
  const d = Driver.running({ size: 2 });
  t.equal(nextDeadline(d.state, d.now), null);
});

t.test('each state of a worker has its own patience', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  t.equal(nextDeadline(d.state, d.now), d.now + d.policy.readyTimeoutMs, 'starting');
  d.bind(1);
  d.stop();
  t.equal(nextDeadline(d.state, d.now), d.now + d.policy.drainTimeoutMs, 'draining');
  d.send({ type: 'drained', worker: 1 });
  t.equal(nextDeadline(d.state, d.now), d.now + d.policy.killTimeoutMs, 'terminating');
  d.wait(d.policy.killTimeoutMs);
  t.equal(d.worker(1).state, 'killing');
  t.equal(nextDeadline(d.state, d.now), d.now + 5_000, 'killing');
});

t.test('the nearest of several deadlines counts', async (t) => {
  const d = Driver.running({ size: 4 });
  const drained = d.now + d.policy.drainTimeoutMs;
  d.scale(3);
  t.equal(nextDeadline(d.state, d.now), drained);
  d.crash(1);
  const retry = d.now + 75;
  d.now += 10;
  d.crash(2);
  t.equal(nextDeadline(d.state, d.now), retry);
  d.wait(75);
  t.same(d.slots(), ['1 starting', '1 starting', '1 ready', '1 draining']);
  t.equal(nextDeadline(d.state, d.now), retry + d.policy.readyTimeoutMs);
});

t.test('the end of the soak is a deadline, and only once', async (t) => {
  const d = Driver.running({ policy: { soakMs: 500 } });
  t.equal(nextDeadline(d.state, d.now), d.now + 500);
  d.now += 500;
  d.send({ type: 'ticked' });
  t.equal(nextDeadline(d.state, d.now), null);
});

t.test('a soak that ends between a step and the look at the deadlines is not slept over', async (t) => {
  const d = Driver.running({ policy: { soakMs: 500 } });
  t.equal(nextDeadline(d.state, d.now + 501), d.now + 501);
});

t.test('a backoff that ends between a step and the look at the deadlines is not slept over', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(1);
  t.equal(nextDeadline(d.state, d.now), d.now + 75);
  t.equal(nextDeadline(d.state, d.now + 80), d.now + 80);
});

t.test('a seat that must stay empty for now, its backoff over, is no reason to wake up again and again', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  d.crash(1);
  t.equal(nextDeadline(d.state, d.now), d.now + 75);
  d.now += 75;
  d.send({ type: 'ticked' });
  t.same(d.slots(), ['', '1 starting'], 'one try a slot while nothing has ever been up');
  t.equal(nextDeadline(d.state, d.now), d.worker(2).deadline);
});

t.test('a slot beyond the size has no backoff to wait for', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(2);
  d.scale(1);
  t.equal(nextDeadline(d.state, d.now), null);
});

t.test('a crash loop is looked at again when the oldest crash leaves the window', async (t) => {
  const d = Driver.running({ policy: { maxRestarts: 0, restartWindowMs: 3_000, backoffMaxMs: 100 } });
  const at = d.now;
  d.crash(1);
  t.equal(d.state.crashLoop, true);
  d.wait(75);
  d.bind(2);
  t.equal(nextDeadline(d.state, d.now), at + 3_000);
  d.wait(3_000);
  t.equal(d.state.crashLoop, false);
  t.equal(nextDeadline(d.state, d.now), null);
});

t.test(
  'a socket that a replacement has not come to yet is kept as long as an application may take to become ready',
  async (t) => {
    const d = Driver.running({}, PORT, '0.0.0.0:9090');
    d.crash(1);
    d.bind(d.in(0), PORT);
    t.equal(d.deadline, d.now + d.policy.readyTimeoutMs);
    d.now += 10;
    d.bind(d.in(0), '0.0.0.0:9090');
    t.equal(d.deadline, null);
    t.same(
      d.sockets.map(({ key }) => key),
      [PORT, '0.0.0.0:9090'],
    );
  },
);
