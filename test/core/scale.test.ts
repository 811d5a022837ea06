import t from 'tap';
import { Driver } from './driver.js';

t.test('scaling up starts the missing slots and is answered when they are ready', async (t) => {
  const d = Driver.running({ size: 1 });
  const request = d.scale(3);
  t.same(d.slots(), ['1 ready', '1 starting', '1 starting']);
  d.bind(2);
  t.equal(d.answers.has(request), false);
  d.bind(3);
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('scaling down drains the highest slots and is answered when they have gone', async (t) => {
  const d = Driver.running({ size: 3 });
  const request = d.scale(1);
  t.same(d.slots(), ['1 ready', '1 draining', '1 draining']);
  t.equal(d.answers.has(request), false);
  d.clear();
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('a size that is reached already is answered at once', async (t) => {
  const d = Driver.running({ size: 2 });
  t.same(d.answers.get(d.scale(2)), { ok: true, reason: null });
});

t.test('up, down, up: the newest size wins, and nobody is told that another one was reached', async (t) => {
  const d = Driver.running({ size: 2 });
  const up = d.scale(5);
  const down = d.scale(1);
  const again = d.scale(3);
  t.same(d.slots(), [
    '1 ready',
    '1 draining, 1 starting',
    '1 terminating, 1 starting',
    '1 terminating',
    '1 terminating',
  ]);
  d.settle();
  t.same(d.slots(), Array(3).fill('1 ready'));
  for (const request of [up, down]) {
    t.same(d.answers.get(request), { ok: false, reason: 'the size has been changed to 3 since' });
  }
  t.same(d.answers.get(again), { ok: true, reason: null });
});

t.test('a scale up that fails is answered, and holdfast keeps trying', async (t) => {
  const d = Driver.running({ size: 1 });
  const request = d.scale(2);
  d.crash(2, 'no memory');
  t.match(d.answers.get(request), { ok: false, reason: /no memory; holdfast keeps trying/ });
  d.wait(100);
  d.settle();
  t.same(d.slots(), ['1 ready', '1 ready']);
});

t.test(
  'a scale up is answered once each slot has been ready, though one of them is always being replaced',
  async (t) => {
    const d = Driver.running({ size: 1, policy: { soakMs: 100 } });
    const request = d.scale(3);
    d.send({ type: 'resigned', worker: 1 });
    d.bind(2);
    // Without a pause: while its successor soaks, the next one comes to its limit.
    d.send({ type: 'resigned', worker: 2 });
    t.equal(d.answers.has(request), false);
    d.bind(3);
    t.same(d.answers.get(request), { ok: true, reason: null });
  },
);

t.test('a slot that was ready before it was scaled away has to be ready anew', async (t) => {
  const d = Driver.running({ size: 1 });
  d.scale(3);
  d.bind(2);
  d.scale(1);
  d.clear();
  const request = d.scale(3);
  d.bind(d.in(2));
  t.equal(d.answers.has(request), false);
  d.bind(d.in(1));
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('a slot that comes back has no history', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(2);
  d.wait(100);
  d.crash(d.in(1));
  d.scale(1);
  t.equal(d.state.slots.length, 1);
  d.scale(2);
  t.same(d.slots(), ['1 ready', '1 starting'], 'no backoff to wait for');
  t.match(d.state.slots[1], { attempts: 0, restarts: 0 });
});

t.test('the crash of a worker that goes anyway is nobody’s fault', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.scale(1);
  d.crash(2);
  t.same(
    d.state.slots.flatMap(({ crashes }) => crashes),
    [],
  );
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('scaling down during a rollout sends old and new workers of the slot away', async (t) => {
  const d = Driver.running({ size: 3, policy: { surge: 3 } });
  const reload = d.reload();
  const scale = d.scale(1);
  t.same(d.slots(), ['1 ready, 2 starting', '1 draining, 2 terminating', '1 draining, 2 terminating']);
  d.settle();
  t.same(d.slots(), ['2 ready']);
  t.same([d.answers.get(reload)?.ok, d.answers.get(scale)?.ok], [true, true]);
});

t.test('a worker number is never used again', async (t) => {
  const d = Driver.running({ size: 2 });
  d.scale(1);
  d.clear();
  d.scale(2);
  t.equal(d.in(1), 3);
});

t.test('a canary that follows does not hold up the answer: it is beside the size', async (t) => {
  const d = new Driver({ size: 1 });
  d.send({ type: 'start' });
  const request = d.scale(2);
  d.send({ type: 'reload', request: 9, policy: d.policy, size: null, canary: { share: 0.1, forMs: 60_000 } });
  d.bind(1);
  t.equal(d.answers.has(request), false);
  d.bind(2);
  t.same(d.slots(), ['1 ready', '1 ready', '2 starting']);
  t.same(d.answers.get(request), { ok: true, reason: null });
});
