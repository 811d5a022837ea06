import t from 'tap';
import { Driver, PORT } from './driver.js';

const OTHER = '0.0.0.0:9090';

/** Two of four slots have reached generation 2, and a third is just being replaced. */
function halfWay(): { d: Driver; request: number } {
  const d = Driver.running({ size: 4 });
  const request = d.reload();
  for (const slot of [0, 1]) {
    d.bind(d.in(slot));
    d.clear();
  }
  return { d, request };
}

t.test('a crash half-way brings all slots back to the old generation', async (t) => {
  const { d, request } = halfWay();
  t.same(d.slots(), ['2 ready', '2 ready', '1 ready, 2 starting', '1 ready']);
  d.crash(d.in(2), 'out of memory');
  t.same(d.slots(), ['2 ready, 1 starting', '2 ready', '1 ready', '1 ready']);
  t.equal(d.answers.has(request), false);
  d.settle();
  t.same(d.slots(), Array(4).fill('1 ready'));
  t.match(d.answers.get(request), { ok: false, reason: /out of memory/ });
  t.equal(d.state.rollout.state, 'rolledBack');
});

t.test('what is rolled back serves until its slot has a worker of the old generation', async (t) => {
  const { d } = halfWay();
  d.crash(d.in(2));
  for (const slot of [0, 1]) {
    t.ok(d.count('ready') >= 4);
    d.bind(d.in(slot));
  }
  t.same(d.slots(), ['2 draining, 1 ready', '2 draining, 1 ready', '1 ready', '1 ready']);
});

t.test('what is rolled back goes even if it would fill a gap elsewhere', async (t) => {
  const d = Driver.running({ size: 2, policy: { soakMs: 1_000, surge: 2 } });
  d.wait(1_000);
  d.reload();
  d.bind(d.in(0));
  d.crash(2);
  t.same(d.slots(), ['1 ready, 2 ready', '2 starting']);
  d.crash(d.in(1));
  t.same(d.slots(), ['1 ready, 2 draining', '1 starting']);
});

t.test('the old generation is let in again whatever the failed one listened on', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.reload();
  d.bind(d.in(0), PORT, OTHER);
  d.clear();
  d.crash(d.in(1));
  t.same(d.slots(), ['2 ready, 1 starting', '1 ready']);
  d.bind(d.in(0), PORT);
  t.same(d.slots(), ['2 draining, 1 ready', '1 ready']);
  t.equal(d.answers.get(request)?.ok, false);
});

t.test('what a failed release listened on binds nobody', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload();
  d.bind(d.in(0), PORT, OTHER);
  d.crash(d.in(1));
  t.same(d.slots(), ['1 draining, 2 ready, 1 starting', '1 ready']);
  const fix = d.reload();
  d.settle(PORT);
  t.same(d.slots(), ['3 ready', '3 ready']);
  t.equal(d.answers.get(fix)?.ok, true);
});

t.test('what an accepted release listens on binds the next one, also after a crash', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload();
  d.settle(OTHER, PORT);
  d.crash(d.in(0));
  d.reload();
  d.clear();
  d.bind(d.in(0), PORT);
  t.same(d.slots(), ['3 starting']);
  d.bind(d.in(0), OTHER);
  t.same(d.slots(), ['3 ready']);
});

t.test('a rollback whose old generation does not come up either is answered, and goes on', async (t) => {
  const { d, request } = halfWay();
  d.crash(d.in(2), 'new fault');
  d.crash(d.in(0), 'old fault');
  const { ok, reason } = d.answers.get(request) ?? {};
  t.equal(ok, false);
  t.match(reason, /new fault\n?.*; generation 1, which is gone back to, has a fault as well: .*\nold fault/s);
  t.same(
    d.slots(),
    ['2 ready', '2 ready, 1 starting', '1 ready', '1 ready'],
    'the failed ones serve as long as they can',
  );
  d.wait(75);
  d.settle();
  t.same(d.slots(), Array(4).fill('1 ready'));
});

t.test('a rollback whose old generation hangs is answered, too', async (t) => {
  const { d, request } = halfWay();
  d.crash(d.in(2));
  d.wait(11_000);
  t.match(d.answers.get(request), { ok: false, reason: /generation 1, which is gone back to.*not ready within 10 s/ });
});

t.test('a failed worker that crashes in a rollback is replaced by the old generation at once', async (t) => {
  const { d } = halfWay();
  d.crash(d.in(2));
  d.crash(6);
  t.same(d.slots(), ['2 ready, 1 starting', '1 starting', '1 ready', '1 ready']);
});

t.test('a rollback does not count against the old generation', async (t) => {
  const { d } = halfWay();
  d.crash(d.in(2));
  d.settle();
  t.same(
    d.state.slots.map(({ attempts, restarts }) => ({ attempts, restarts })),
    Array(4).fill({ attempts: 0, restarts: 0 }),
  );
});

t.test('a fix may be reloaded while a failed release is still being rolled back', async (t) => {
  const { d, request } = halfWay();
  d.crash(d.in(2), 'boom');
  const fix = d.reload();
  t.match(d.answers.get(request), { ok: false, reason: /boom/ });
  t.same(d.slots(), ['2 ready, 1 terminating, 3 starting', '2 ready', '1 ready', '1 ready']);
  d.settle();
  t.same(d.slots(), Array(4).fill('3 ready'));
  t.equal(d.answers.get(fix)?.ok, true);
});

t.test('a failed release does not change the size', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({}, 5);
  d.crash(d.in(0));
  d.settle();
  t.equal(d.state.size, 2);
});

t.test('a large surge does not hinder the way back to a generation with a small one', async (t) => {
  const d = Driver.running({ size: 4, policy: { surge: 1, soakMs: 100 } });
  d.wait(100);
  const request = d.reload({ surge: 4 });
  for (const slot of [0, 1, 2]) d.bind(d.in(slot));
  d.crash(d.in(3));
  d.settle();
  t.same(d.slots(), Array(4).fill('1 ready'));
  t.equal(d.answers.get(request)?.ok, false);
});

t.test('the crash of a worker after its release was accepted does not roll it back', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.reload();
  d.bindAll();
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready', '1 draining, 2 ready']);
  d.crash(d.in(0));
  t.equal(d.state.rollout.state, 'running');
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
  t.equal(d.answers.get(request)?.ok, true);
});
