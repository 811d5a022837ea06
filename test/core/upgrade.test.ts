import t from 'tap';
import { hindrancesOf } from '../../src/core/upgrade.js';
import { Driver, PORT } from './driver.js';

function waitsOf(d: Driver): readonly string[] {
  const { refusal, waits } = hindrancesOf(d.state);
  t.equal(refusal, null);
  return waits;
}

t.test('a supervisor at rest can be replaced, also with a slot that waits for its next try', async (t) => {
  const d = Driver.running({ size: 2 }, PORT);
  t.same(hindrancesOf(d.state), { refusal: null, waits: [] });
  d.send({ type: 'exited', worker: 1, code: 1, signal: null, chance: 0, lastLines: [] });
  t.same(d.slots().length, 2);
  t.same(waitsOf(d), []);
});

t.test('a start, a rollout and workers that come or go are waited for', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  t.same(waitsOf(d), ['its start', 'worker 1, which starts', 'worker 2, which starts']);
  d.bindAll(PORT);
  t.same(waitsOf(d), []);
  d.reload();
  t.same(waitsOf(d).slice(0, 2), ['a rollout', 'worker 3, which starts']);
  d.settle();
  t.same(waitsOf(d), []);

  d.restart();
  t.match(waitsOf(d), ['a restart', /which is on its way out/]);
  d.settle();
  t.same(waitsOf(d), []);
});

t.test('workers that are being taken over are waited for', async (t) => {
  const d = new Driver({ size: 1 });
  d.send({ type: 'orphansFound', orphans: [{ worker: 1, slot: 0, generation: 1, pid: 101 }] });
  d.send({ type: 'start' });
  t.same(waitsOf(d), ['its start', 'workers that are being taken over']);
});

t.test('a canary has no end that is worth waiting for, and who stops is not replaced', async (t) => {
  const d = Driver.running({ size: 2 }, PORT);
  const [policy] = Object.values(d.state.policies);
  if (policy === undefined) throw new Error('it has no policy');
  d.send({ type: 'reload', request: 6, policy, size: null, canary: { share: 0.1, forMs: 60_000 } });
  t.match(hindrancesOf(d.state).refusal, /a canary is being compared/);
  d.send({ type: 'stop', request: 7 });
  t.equal(hindrancesOf(d.state).refusal, 'it stops');
});
