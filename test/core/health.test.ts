import t from 'tap';
import { Driver } from './driver.js';

const POLICY = { health: true, healthIntervalMs: 1_000, readyTimeoutMs: 5_000 };

function told(d: Driver, worker: number, reason: string | null): void {
  d.send({ type: 'healthTold', worker, reason });
}

/** One worker that serves, of a generation that asks for no health. */
function reloading(soakMs = 0): Driver {
  const d = Driver.running({ size: 1 });
  d.reload({ ...POLICY, soakMs });
  return d;
}

t.test('health is asked for once a worker listens, and it is ready when the answer is good', async (t) => {
  const d = reloading();
  t.same(d.done('askHealth'), []);
  d.bind(2);
  t.same(d.done('askHealth'), [{ do: 'askHealth', worker: 2 }]);
  t.same(d.slots(), ['1 ready, 2 starting']);
  told(d, 2, null);
  t.same(d.slots(), ['1 draining, 2 ready']);
  d.wait(10_000);
  t.equal(d.done('askHealth').length, 1, 'without a soak nobody asks again');
});

t.test('a bad answer is asked for again until the time is over, and is the reason then', async (t) => {
  const d = reloading();
  d.bind(2);
  told(d, 2, 'GET / answered 503');
  d.wait(1_000);
  t.equal(d.done('askHealth').length, 2);
  told(d, 2, 'GET / answered 500');
  d.wait(5_000);
  t.same(d.answers.get(1), { ok: false, reason: 'not ready within 5 s: GET / answered 500' });
  t.match(d.slots()[0], /^1 ready/);
});

t.test('while it soaks it must stay healthy; its predecessor serves until then', async (t) => {
  const d = reloading(3_000);
  d.bind(2);
  told(d, 2, null);
  d.wait(1_000);
  told(d, 2, null);
  d.wait(1_000);
  t.same(d.slots(), ['1 ready, 2 ready']);
  t.equal(d.done('askHealth').length, 3);
  told(d, 2, 'GET / answered 500');
  t.same(d.slots(), ['1 ready, 2 draining']);
  t.equal(d.state.rollout.reason, 'a worker did not stay healthy: GET / answered 500');
});

t.test('an answer that comes when it has soaked changes nothing', async (t) => {
  const d = reloading(500);
  d.bind(2);
  told(d, 2, null);
  d.wait(500);
  t.same(d.slots(), ['1 draining, 2 ready']);
  told(d, 2, 'GET / answered 500');
  t.same(d.slots(), ['1 draining, 2 ready']);
});
