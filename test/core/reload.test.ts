import t from 'tap';
import { Driver } from './driver.js';

t.test('a second reload during a rollout supersedes the first, and both get its outcome', async (t) => {
  const d = Driver.running({ size: 3 });
  const first = d.reload();
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting', '1 ready']);
  const second = d.reload();
  t.same(d.slots(), ['1 draining, 2 ready, 3 starting', '1 ready, 2 terminating', '1 ready']);
  d.settle();
  t.same(d.slots(), Array(3).fill('3 ready'));
  t.same([d.answers.get(first)?.ok, d.answers.get(second)?.ok], [true, true]);
});

t.test(
  'when the newest of two reloads fails, both are answered and the last accepted generation is back',
  async (t) => {
    const d = Driver.running({ size: 3 });
    const first = d.reload();
    d.bindAll();
    const second = d.reload();
    d.crash(d.in(0), 'boom');
    d.settle();
    t.same(d.slots(), Array(3).fill('1 ready'));
    for (const request of [first, second]) t.match(d.answers.get(request), { ok: false, reason: /boom/ });
  },
);

t.test('of two predecessors in a slot the accepted one stays', async (t) => {
  const d = Driver.running({ size: 1, policy: { soakMs: 1_000 } });
  d.wait(1_000);
  d.reload();
  d.bindAll();
  t.same(d.slots(), ['1 ready, 2 ready']);
  d.reload();
  t.same(d.slots(), ['1 ready, 2 draining, 3 starting']);
});

t.test('a reload while only old workers still drain begins a rollout of its own', async (t) => {
  const d = Driver.running({ size: 2 });
  const first = d.reload();
  d.bindAll();
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready', '1 draining, 2 ready']);
  const second = d.reload();
  t.same(d.answers.get(first), { ok: true, reason: null }, 'the first has succeeded');
  d.crash(d.in(0));
  t.same(d.slots(), ['1 draining, 2 ready', '1 draining, 2 ready'], 'what it brought is what is gone back to');
  d.clear();
  t.equal(d.answers.get(second)?.ok, false);
});

t.test('a reload during the start waits until the start is over', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  d.bind(1);
  const first = d.reload();
  const second = d.reload({ surge: 2 });
  t.same(d.slots(), ['1 ready', '1 starting']);
  d.bind(2);
  t.equal(d.done('announceStart').length, 1);
  t.same(d.slots(), ['1 ready, 2 starting', '1 ready, 2 starting'], 'the newest one wins');
  d.settle();
  t.same([d.answers.get(first)?.ok, d.answers.get(second)?.ok], [true, true]);
});

t.test('a reload during a start that fails is told why', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  const request = d.reload();
  d.crash(1, 'syntax error');
  t.match(d.answers.get(request), { ok: false, reason: /syntax error/ });
  t.match(d.done('end')[0]?.reason, /syntax error/);
});

t.test('a reload brings its size once it is done', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({}, 4);
  t.equal(d.state.size, 2);
  d.settle();
  t.same(d.slots(), Array(4).fill('2 ready'));
});

t.test('the size of a superseded reload is not lost', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({}, 3);
  d.reload();
  d.settle();
  t.same(d.slots(), Array(3).fill('3 ready'));
});

t.test('the size of a reload that waits is not lost to a newer one', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  d.reload({}, 3);
  d.reload();
  d.settle();
  t.same(d.slots(), Array(3).fill('2 ready'));
});

t.test('a size that is asked for during a rollout wins over the one of the release', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({}, 5);
  const request = d.scale(3);
  d.settle();
  t.same(d.slots(), Array(3).fill('2 ready'));
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('a reload during a scale up carries on with both', async (t) => {
  const d = Driver.running({ size: 2 });
  const scale = d.scale(4);
  const reload = d.reload();
  t.same(d.slots(), ['1 ready, 2 starting', '1 ready', '1 terminating, 2 starting', '1 terminating, 2 starting']);
  d.settle();
  t.same(d.slots(), Array(4).fill('2 ready'));
  t.same([d.answers.get(scale)?.ok, d.answers.get(reload)?.ok], [true, true]);
});

t.test('a rollout never lowers the number of ready workers', async (t) => {
  const d = Driver.running({ size: 4, policy: { surge: 2, soakMs: 300 } });
  d.wait(300);
  d.reload();
  for (let turn = 0; turn < 20 && d.state.rollout.state === 'running'; turn++) {
    const starting = d.state.workers.find(({ state }) => state === 'starting');
    if (starting !== undefined) d.bind(starting.id);
    else d.wait(100);
    t.ok(d.count('ready') >= 4);
    t.ok(d.count('starting', 'ready') <= 6);
    d.clear();
  }
  t.equal(d.state.rollout.state, 'done');
});
