import t from 'tap';
import { ATTACH_MS } from '../../../src/core/worker/takeover.js';
import { Driver } from '../driver.js';
import { attach, orphan, taking } from '../support/takeover.js';

t.test('a rollout that was under way goes on', async (t) => {
  const d = taking([orphan(1, 0, 1), orphan(2, 1, 1), orphan(3, 0, 2)]);
  attach(d, orphan(3, 0, 2));
  attach(d, orphan(1, 0, 1));
  attach(d, orphan(2, 1, 1));
  t.match(d.state.rollout, { state: 'running', from: 1, to: 2, trial: null });
  t.match(d.done('drain'), [{ worker: 1 }]);
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
  t.equal(d.state.rollout.state, 'done');
});

t.test('a release that was on trial is so again, and is rolled back as any other', async (t) => {
  const d = taking([orphan(1, 0, 1), orphan(2, 1, 1), orphan(3, 0, 2)], 2, { trialMs: 1_000 });
  attach(d, orphan(1, 0, 1));
  attach(d, orphan(2, 1, 1));
  attach(d, orphan(3, 0, 2), { held: true });
  t.match(d.state.rollout, { state: 'running', from: 1, to: 2, trial: { slot: 0 } });
  t.same(d.slots(), ['1 ready, 2 ready', '1 ready']);
  t.same(d.done('accept'), [], 'it gets no client');
  d.send({ type: 'exited', worker: 3, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  t.match(d.state.rollout, { state: 'rolledBack', reason: /nobody knows how/ });
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.same(d.done('drain'), []);
});

t.test('workers beyond the size drain', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1), orphan(3, 2)]);
  for (const id of [1, 2, 3]) attach(d, orphan(id, id - 1));
  t.match(d.done('drain'), [{ worker: 3 }]);
});

t.test('a stop during a take-over ends all, also those who do not attach', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1), orphan(3, 0)]);
  attach(d, orphan(1, 0));
  const request = d.stop();
  t.match(d.done('drain'), [{ worker: 1 }]);
  attach(d, orphan(2, 1));
  t.match(d.done('drain'), [{ worker: 1 }, { worker: 2 }], 'who comes now is sent away');
  d.clear();
  t.same(d.done('end'), [], 'one is still to come');
  d.wait(ATTACH_MS);
  t.same(d.done('seize'), []);
  t.same(d.done('kill'), [{ do: 'kill', worker: 3 }]);
  d.send({ type: 'exited', worker: 3, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  t.match(d.answers.get(request), { ok: true });
  t.equal(d.state.phase, 'stopped');
});

t.test('one that is to end at once ends at once', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1)]);
  attach(d, orphan(1, 0));
  d.send({ type: 'stopNow' });
  t.same(
    d
      .done('kill')
      .map(({ worker }) => worker)
      .sort(),
    [1, 2],
  );
});

t.test('a reload and a restart wait until all are settled', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1)]);
  attach(d, orphan(1, 0));
  const reload = d.reload();
  t.same(d.done('spawn'), []);
  attach(d, orphan(2, 1));
  t.match(d.done('spawn'), [{ worker: 3, generation: 2 }]);
  d.settle();
  t.match(d.answers.get(reload), { ok: true });

  const other = taking([orphan(1, 0), orphan(2, 1)]);
  attach(other, orphan(1, 0));
  const restart = other.restart();
  other.clear();
  t.same(other.done('spawn'), []);
  attach(other, orphan(2, 1));
  other.clear();
  t.equal(other.done('spawn').length, 2);
  other.settle();
  t.match(other.answers.get(restart), { ok: true });
});

t.test('what only the supervisor knew goes on: numbers, counts, and a size that was changed by hand', async (t) => {
  const before = {
    generation: 5,
    nextWorker: 40,
    size: 3,
    configuredSize: 2,
    rollout: null,
    totals: { restarts: { crashed: 4, failed: 0, hung: 0, recycled: 1 }, rollouts: { done: 3, rolledBack: 1 } },
    slots: [{ slot: 1, restarts: 4, recycled: 1, reason: 'a worker exited with code 1' }],
  };
  const found = [orphan(7, 0, 4), orphan(9, 1, 4), orphan(12, 2, 4)];
  const d = new Driver({ size: 2 });
  d.send({ type: 'orphansFound', orphans: found, before });
  d.send({ type: 'start' });
  for (const one of found) attach(d, one);
  t.same(d.slots(), ['4 ready', '4 ready', '4 ready']);
  t.match(d.state, { size: 3, totals: before.totals, slots: [{ restarts: 0 }, { restarts: 4, recycled: 1 }] });
  d.reload();
  t.match(
    d.done('spawn'),
    [{ worker: 40, generation: 6 }],
    'the generation that was rolled back has its number for good',
  );

  const changed = new Driver({ size: 4 });
  changed.send({ type: 'orphansFound', orphans: found, before });
  t.equal(changed.state.size, 4, 'a configuration that asks for another size is newer');
});
