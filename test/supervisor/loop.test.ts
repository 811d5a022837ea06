import t, { type Test } from 'tap';
import { type AnyEffect, type AnyEvent, initialSupervision } from '../../src/core/supervision.js';
import { Loop } from '../../src/supervisor/loop.js';
import { makePolicy } from '../core/driver.js';

interface Rig {
  readonly loop: Loop;
  readonly performed: AnyEffect[];
  readonly faults: { readonly message: string; readonly during: string | null }[];
}

function rig(t: Test, perform: (effect: AnyEffect) => void, size = 2, subscribers: (() => void)[] = []): Rig {
  const performed: AnyEffect[] = [];
  const faults: Rig['faults'][number][] = [];
  const policy = makePolicy({ backoffBaseMs: 60_000, backoffMaxMs: 60_000, killTimeoutMs: 30 });
  const supervision = initialSupervision({ size, listenMode: 'reuseport', steered: false, policy });
  const loop = new Loop(supervision, {
    perform: (effect) => {
      if (effect.do !== 'report') performed.push(effect);
      perform(effect);
    },
    subscribers,
    onFault: (error, during) => {
      const what = during === null ? null : 'do' in during ? during.do : during.type;
      faults.push({ message: (error as Error).message, during: what });
    },
  });
  t.teardown(() => loop.close());
  return { loop, performed, faults };
}

/** Looks at each turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

const ready = (worker: number): AnyEvent[] => [
  { type: 'bound', worker, key: '0.0.0.0:80' },
  { type: 'stayed', worker, key: '0.0.0.0:80' },
];

t.test('an effect that throws does not keep the others from being done, and the core hears of it', async (t) => {
  const { loop, performed, faults } = rig(t, (effect) => {
    if (effect.do === 'spawn' && effect.slot === 0) throw new Error('EMFILE');
  });
  loop.dispatch({ type: 'start' });
  t.same(
    performed.map((effect) => effect.do),
    ['spawn', 'spawn'],
  );
  t.same(faults, [{ message: 'EMFILE', during: 'spawn' }]);
  t.same(
    loop.state.workers.map(({ slot }) => slot),
    [1],
  );
  t.match(loop.state.slots[0]?.reason, /EMFILE/);
});

t.test('a request is answered, whatever the effects before its answer come to', async (t) => {
  const { loop, performed } = rig(t, (effect) => {
    if (!['spawn', 'answer', 'end'].includes(effect.do)) throw new Error('EIO');
  });
  loop.dispatch({ type: 'start' });
  for (const worker of [1, 2]) loop.dispatch(...ready(worker));
  loop.dispatch({ type: 'stop', request: 1 });
  for (const worker of [1, 2])
    loop.dispatch({ type: 'exited', worker, code: 0, signal: null, chance: 0, lastLines: [] });
  t.match(performed.at(-2), { do: 'answer', request: 1, ok: true });
  t.match(performed.at(-1), { do: 'end' });
});

t.test('the timer is set although an effect has thrown', async (t) => {
  const { loop, performed } = rig(t, (effect) => {
    if (effect.do === 'terminate') throw new Error('EIO');
  });
  loop.dispatch({ type: 'start' });
  for (const worker of [1, 2]) loop.dispatch(...ready(worker));
  loop.dispatch({ type: 'stop', request: 1 });
  const killed = () => performed.filter((effect) => effect.do === 'kill').length === 2;
  for (const worker of [1, 2]) loop.dispatch({ type: 'drained', worker });
  t.notOk(killed());
  await until(killed);
  t.ok(killed());
});

t.test('a subscriber that throws keeps nobody else from being told', async (t) => {
  const told: string[] = [];
  const { loop, faults } = rig(t, () => {}, 1, [
    () => {
      told.push('first');
      throw new Error('a subscriber');
    },
    () => told.push('second'),
  ]);
  loop.dispatch({ type: 'start' });
  t.same(told, ['first', 'second']);
  t.same(faults, [{ message: 'a subscriber', during: null }]);
});

t.test('an event that the core fails at is dropped, and the next one is dealt with', async (t) => {
  const { loop, faults } = rig(t, () => {});
  loop.dispatch({ type: 'start' });
  loop.dispatch({
    type: 'reload',
    request: 1,
    policy: makePolicy(),
    get size(): number {
      throw new Error('no such thing');
    },
  });
  t.match(faults, [{ message: 'no such thing', during: 'reload' }]);
  for (const worker of [1, 2]) loop.dispatch(...ready(worker));
  t.equal(loop.state.phase, 'running');
});

t.test('events that come together are taken together, and followed by one settling', async (t) => {
  const settled: true[] = [];
  const { loop, performed } = rig(t, () => {}, 2, [() => settled.push(true)]);
  loop.dispatch({ type: 'start' }, ...ready(1), ...ready(2));
  t.equal(settled.length, 1);
  t.equal(performed.filter((effect) => effect.do === 'spawn').length, 2);
});

t.test('what a look has found is told to nobody who looks after workers', async (t) => {
  let told = 0;
  const { loop, performed } = rig(t, () => {}, 2, [() => told++]);
  loop.dispatch({ type: 'start' });
  for (const slot of [0, 1]) loop.dispatch({ type: 'socketOpened', socket: { slot, key: '0.0.0.0:80' } });
  loop.dispatch(...ready(1), ...ready(2));
  const before = told;
  loop.dispatch({ type: 'congested', socket: { slot: 0, key: '0.0.0.0:80' }, helpers: [1] });
  t.match(performed.at(-1), { do: 'adopt', worker: 2 });
  t.equal(told, before);
});

t.test('a deadline of the core is met although nothing but news of sockets comes', async (t) => {
  const { loop, performed } = rig(t, () => {});
  loop.dispatch({ type: 'start' });
  for (const worker of [1, 2]) loop.dispatch(...ready(worker));
  loop.dispatch({ type: 'stop', request: 1 });
  for (const worker of [1, 2]) loop.dispatch({ type: 'drained', worker });
  const killed = () => performed.filter((effect) => effect.do === 'kill').length === 2;
  const deadline = Math.max(...loop.state.workers.map((worker) => worker.deadline ?? 0));
  // The loop of events never gets to its timers.
  while (performance.now() <= deadline) loop.dispatch({ type: 'relieved', socket: { slot: 0, key: '0.0.0.0:80' } });
  loop.dispatch({ type: 'relieved', socket: { slot: 0, key: '0.0.0.0:80' } });
  t.ok(killed());
});
