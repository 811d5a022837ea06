import t from 'tap';
import { quietQueue, sample } from '../../../src/core/steering/congestion.js';
import { nextWarmthChange, slotFacts } from '../../../src/core/steering/facts.js';
import { Driver, PORT } from '../driver.js';

const UNSEEN = { queue: undefined, connections: null, avoided: false };
const factsOf = (d: Driver, slot: number) => slotFacts(d.state, { slot, key: PORT }, UNSEEN, d.now);

t.test('a slot is what the best of its workers is that accepts', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  t.equal(factsOf(d, 0).serving, 'ready');
  d.reload();
  t.equal(factsOf(d, 0).serving, 'ready', 'the old one serves while the new one starts');
  d.bind(d.in(0));
  t.equal(factsOf(d, 0).serving, 'ready', 'the new one serves while the old one drains');
  t.equal(factsOf(d, 5).serving, 'none');
});

t.test('a worker that crashed, or whose process has just ended, serves nobody', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  d.send({ type: 'ended', worker: 1 });
  t.equal(factsOf(d, 0).serving, 'none');
  d.crash(1);
  d.wait(75);
  t.equal(factsOf(d, 0).serving, 'none', 'its replacement does not listen yet');
});

t.test('one that listens but has not said that it is ready is starting', async (t) => {
  const d = Driver.running({ size: 1, steered: true, policy: { ready: 'message' } });
  t.equal(factsOf(d, 0).serving, 'starting');
  d.send({ type: 'saidReady', worker: 1 });
  t.equal(factsOf(d, 0).serving, 'ready');
});

t.test('one that goes, with nobody in its place, is draining', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  d.scale(1);
  t.match(factsOf(d, 1), { serving: 'draining', retired: true });
  d.send({ type: 'closed', worker: 2, key: PORT });
  t.equal(factsOf(d, 1).serving, 'none');
});

t.test('another address of the same slot is another matter', async (t) => {
  const d = Driver.running({ size: 1, steered: true });
  t.equal(slotFacts(d.state, { slot: 0, key: '0.0.0.0:1' }, UNSEEN, d.now).serving, 'none');
});

t.test('the queue and the connections are passed on', async (t) => {
  const d = Driver.running({ size: 1, steered: true });
  const patience = { suspectAfterMs: 2, adoptAfterMs: 20, sticky: false };
  const queue = sample(sample(quietQueue(0), 4, 5, patience), 4, 9, patience);
  const facts = slotFacts(d.state, { slot: 0, key: PORT }, { queue, connections: 7, avoided: true }, d.now);
  t.match(facts, { avoided: true, connections: 7, queue: queue.average });
});

t.test('a worker warms up from the moment at which it is ready', async (t) => {
  const d = Driver.running({ size: 1, steered: true, policy: { slowStartMs: 1_600 } });
  t.equal(factsOf(d, 0).warmth, 0);
  t.equal(nextWarmthChange(d.state, d.now), d.now + 100);
  d.wait(800);
  t.equal(factsOf(d, 0).warmth, 0.5);
  d.wait(800);
  t.equal(factsOf(d, 0).warmth, 1);
  t.equal(nextWarmthChange(d.state, d.now), null);
});

t.test('as long as a warm predecessor accepts beside it, the slot is warm', async (t) => {
  const d = Driver.running({ size: 1, steered: true, policy: { slowStartMs: 1_600 } });
  d.wait(1_600);
  d.reload({ soakMs: 10_000 });
  d.bind(d.in(0));
  t.equal(factsOf(d, 0).warmth, 1);
});
