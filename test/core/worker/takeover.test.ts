import t from 'tap';
import { ATTACH_MS, mayAttach, SEIZE_MS } from '../../../src/core/worker/takeover.js';
import { attach, orphan, taking } from '../support/takeover.js';

t.test('workers that are there serve on, and nothing is started', async (t) => {
  const [one, two] = [orphan(7, 0, 3), orphan(9, 1, 3)];
  const d = taking([one, two]);
  t.same(d.done('spawn'), [], 'nothing before all have attached');
  attach(d, one);
  t.equal(d.state.phase, 'starting');
  attach(d, two);
  t.same(d.slots(), ['3 ready', '3 ready']);
  t.equal(d.state.phase, 'running');
  t.same(
    d.effects.map((effect) => effect.do),
    ['takeIn', 'takeIn', 'endTakeover', 'announceStart'],
  );
  t.match(d.state, { generation: 3, target: 3, stable: 3, nextWorker: 10, rollout: { state: 'none' } });

  d.effects.length = 0;
  d.reload();
  t.match(d.done('spawn'), [{ worker: 10, generation: 4 }], 'a reload is a usual reload');
  d.settle();
  t.same(d.slots(), ['4 ready', '4 ready']);
});

t.test('the seat of one that has ended meanwhile is filled once all others are settled', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1)]);
  d.send({ type: 'exited', worker: 1, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  t.same(d.done('spawn'), []);
  attach(d, orphan(2, 1));
  t.match(d.done('spawn'), [{ worker: 3, slot: 0, generation: 1 }]);
});

t.test('one that crashes while others are waited for is replaced at once in the end', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 0)], 1);
  attach(d, orphan(1, 0));
  d.send({ type: 'exited', worker: 1, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  d.send({ type: 'exited', worker: 2, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  t.match(d.done('spawn'), [{ worker: 3, slot: 0 }]);
  t.same(d.done('end'), []);
});

t.test('the sockets of a stuck one are taken from it, and it is killed once another accepts on them', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1)]);
  attach(d, orphan(2, 1));
  d.wait(ATTACH_MS - 1);
  t.same(d.done('seize'), []);
  d.wait(1);
  t.same(d.done('seize'), [{ do: 'seize', worker: 1 }]);
  t.same(d.done('spawn'), [], 'its sockets are not there yet');
  d.send({ type: 'seized', worker: 1, reason: null });
  t.match(d.done('spawn'), [{ worker: 3, slot: 0 }]);
  t.same(d.done('kill'), []);
  d.bind(3);
  t.same(d.done('kill'), [{ do: 'kill', worker: 1 }]);
  t.equal(d.state.totals.restarts.hung, 1);
});

t.test('where its sockets cannot be had it is killed first, and waited for', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  d.wait(ATTACH_MS);
  d.send({ type: 'seized', worker: 1, reason: 'EPERM' });
  t.same(d.done('kill'), [{ do: 'kill', worker: 1 }]);
  t.same(d.done('spawn'), []);
  d.send({ type: 'exited', worker: 1, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  t.match(d.done('spawn'), [{ worker: 2, slot: 0 }]);
});

t.test('a process that outlives its kill holds nothing up for good', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  d.wait(ATTACH_MS);
  d.send({ type: 'seized', worker: 1, reason: 'EPERM' });
  d.wait(SEIZE_MS);
  t.match(d.done('spawn'), [{ worker: 2, slot: 0 }]);
});

t.test('no answer to the question for its sockets is one as well', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  d.wait(ATTACH_MS + SEIZE_MS);
  t.match(d.done('spawn'), [{ worker: 2, slot: 0 }]);
});

t.test('one that was given up and comes after all drains', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  d.wait(ATTACH_MS);
  d.send({ type: 'seized', worker: 1, reason: null });
  attach(d, orphan(1, 0));
  t.match(d.done('takeIn'), [{ worker: 1 }]);
  t.match(d.done('drain'), [{ worker: 1 }]);
  t.same(d.done('kill'), []);
});

t.test('one that nobody has expected stays where its seat is empty, and drains where it is not', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  attach(d, orphan(1, 0));
  attach(d, orphan(2, 0));
  t.match(d.done('drain'), [{ worker: 2 }]);

  const other = taking([orphan(1, 0), orphan(2, 1)]);
  attach(other, orphan(1, 0));
  other.send({ type: 'exited', worker: 2, code: null, signal: null, chance: 0, lastLines: [], isUntold: true });
  // A look at the processes had missed it, and its seat is taken by one that is on its way.
  attach(other, orphan(5, 1));
  t.match(other.done('drain'), [{ worker: 5 }]);
});

t.test('of two in one slot the newest that is ready stays', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 0), orphan(3, 0)], 1);
  attach(d, orphan(3, 0), { listening: [], steady: [] });
  attach(d, orphan(1, 0));
  attach(d, orphan(2, 0));
  t.same(
    d.state.workers.map(({ id, state }) => [id, state]),
    [
      [1, 'draining'],
      [2, 'ready'],
      [3, 'draining'],
    ],
  );
});

t.test('one that drains goes on to, and its time is counted anew', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 0)], 1);
  attach(d, orphan(1, 0), { draining: true });
  attach(d, orphan(2, 0));
  t.equal(d.worker(1).state, 'draining');
  d.wait(d.policy.drainTimeoutMs);
  t.same(d.done('terminate'), [{ do: 'terminate', worker: 1 }]);

  const other = taking([orphan(1, 0)], 1);
  attach(other, orphan(1, 0), { draining: true, drained: true });
  t.same(other.done('terminate'), [{ do: 'terminate', worker: 1 }], 'one that is done ends');
  t.match(other.done('spawn'), [{ worker: 2, slot: 0 }]);
});

t.test('one that is not ready yet goes on to become so', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  attach(d, orphan(1, 0), { listening: [], steady: [] });
  t.same(d.slots(), ['1 starting']);
  d.bind(1);
  t.same(d.slots(), ['1 ready']);
  t.equal(d.state.phase, 'running');

  const never = taking([orphan(1, 0)], 1);
  attach(never, orphan(1, 0), { listening: [], steady: [] });
  never.wait(never.policy.readyTimeoutMs + 1_000);
  t.equal(never.worker(1).state, 'terminating', 'or is seen not to');
});

t.test('a worker that was held accepts where nobody else does', async (t) => {
  const d = taking([orphan(2, 0, 2)], 1);
  attach(d, orphan(2, 0, 2), { held: true });
  t.same(d.done('accept'), [{ do: 'accept', worker: 2 }]);
});

t.test('a number that is known is not taken for another worker', async (t) => {
  const d = taking([orphan(1, 0)], 1);
  attach(d, orphan(1, 0));
  attach(d, { ...orphan(1, 0), pid: 666 });
  t.equal(d.worker(1).pid, 101);
  t.equal(d.done('takeIn').length, 1);
});

t.test('whoever has the number of a worker that is there may not attach, but for one that was given up', async (t) => {
  const d = taking([orphan(1, 0), orphan(2, 1)]);
  t.ok(mayAttach(d.state, 1));
  attach(d, orphan(1, 0));
  t.notOk(mayAttach(d.state, 1));
  d.wait(ATTACH_MS);
  t.ok(mayAttach(d.state, 2));
  d.send({ type: 'seized', worker: 2, reason: 'EPERM' });
  t.notOk(mayAttach(d.state, 2), 'it is being killed');
});
