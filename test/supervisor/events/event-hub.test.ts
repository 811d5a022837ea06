import t from 'tap';
import { initialState } from '../../../src/core/state/state.js';
import type { State } from '../../../src/core/state/types.js';
import type { SupervisorEvent } from '../../../src/protocol/events.js';
import { EventHub } from '../../../src/supervisor/events/event-hub.js';

function world() {
  const state = initialState({ size: 2, listenMode: 'reuseport', policy: {} as never }) as State;
  state.phase = 'running';
  const hub = new EventHub('shop', () => state);
  return { state, hub };
}

function worker(id: number, slot: number, generation: number, more: object = {}): State['workers'][number] {
  return { id, slot, generation, pid: 1000 + id, state: 'ready', ...more } as State['workers'][number];
}

/** What a reader is told, without ids. */
function follow(hub: EventHub) {
  const events: SupervisorEvent[] = [];
  const unfollow = hub.follow((event) => events.push(event));
  return { events, unfollow, take: () => events.splice(0).map(({ id: _id, ...rest }) => rest) };
}

t.test('a reader hears how things are, then what happens', async (t) => {
  const { state, hub } = world();
  state.workers.push(worker(1, 0, 1));
  const { events, take } = follow(hub);
  t.match(events, [
    { id: 0, type: 'snapshot', name: 'shop', state: 'running', size: 2, workers: [{ worker: 1, slot: 0 }] },
  ]);
  take();
  hub.review(state);
  t.same(take(), [], 'nothing has happened');

  state.workers.push(worker(2, 1, 1, { state: 'starting', pid: null }));
  hub.review(state);
  t.same(take(), [], 'without a process it has not been spawned');
  state.workers[1]!.pid = 1002;
  hub.review(state);
  const label = { worker: 2, slot: 1, generation: 1, pid: 1002 };
  t.same(take(), [{ type: 'workerSpawned', ...label }]);
  for (const [next, type] of [
    ['ready', 'workerReady'],
    ['starting', 'workerUnready'],
    ['ready', 'workerReady'],
    ['draining', 'workerDraining'],
    ['terminating', 'workerTerminating'],
    ['killing', 'workerKilling'],
  ] as const) {
    state.workers[1]!.state = next;
    hub.review(state);
    t.same(take(), [{ type, ...label }]);
  }
  state.workers.splice(1);
  hub.reported('worker crashed', { worker: 2, code: null, signal: 'SIGKILL' });
  hub.review(state);
  t.same(take(), [{ type: 'workerExited', ...label, code: null, signal: 'SIGKILL', crashed: true }]);
});

t.test('a worker that was ready before anybody looked has been spawned, too', async (t) => {
  const { state, hub } = world();
  const { take } = follow(hub);
  take();
  state.workers.push(worker(1, 0, 1));
  hub.review(state);
  t.match(take(), [{ type: 'workerSpawned' }, { type: 'workerReady' }]);
});

t.test('a rollout is told from its beginning to its end', async (t) => {
  const { state, hub } = world();
  state.workers = [worker(1, 0, 1), worker(2, 1, 1)];
  const { take } = follow(hub);
  take();
  state.rollout = { ...state.rollout, state: 'running', from: 1, to: 2 };
  state.target = 2;
  state.workers.push(worker(3, 0, 2));
  hub.review(state);
  t.match(take(), [
    { type: 'rolloutBegun', from: 1, to: 2, canary: null },
    { type: 'workerSpawned' },
    { type: 'workerReady' },
  ]);
  state.workers[0]!.state = 'draining';
  hub.review(state);
  t.match(take(), [{ type: 'workerDraining' }, { type: 'rolloutProgress', from: 1, to: 2, replaced: 1, size: 2 }]);
  state.workers = [worker(3, 0, 2), worker(4, 1, 2)];
  state.rollout = { ...state.rollout, state: 'done' };
  hub.reported('worker exited', { worker: 1, code: 0, signal: null });
  hub.review(state);
  t.match(take(), [
    { type: 'workerExited', worker: 1, code: 0, crashed: false },
    { type: 'workerExited', worker: 2 },
    { type: 'workerSpawned', worker: 4 },
    { type: 'workerReady', worker: 4 },
    { type: 'rolloutProgress', replaced: 2 },
    { type: 'rolloutDone', from: 1, to: 2 },
  ]);
  state.size = 3;
  state.workers.push(worker(5, 2, 2));
  hub.review(state);
  t.same(
    take().map(({ type }) => type),
    ['sizeChanged', 'workerSpawned', 'workerReady'],
    'what comes later is not of the rollout',
  );
});

t.test('a rollout that is rolled back says so when that begins, and when it is done', async (t) => {
  const { state, hub } = world();
  const { take } = follow(hub);
  take();
  const canary = { slot: 2, share: 0.05, forMs: 1, until: null, asked: false };
  state.rollout = { ...state.rollout, state: 'running', from: 1, to: 2, canary };
  hub.review(state);
  t.same(take(), [{ type: 'rolloutBegun', from: 1, to: 2, canary: 0.05 }]);
  state.rollout = { ...state.rollout, state: 'rollingBack', reason: 'exit code 1' };
  hub.review(state);
  t.same(take(), [{ type: 'rolloutFailed', from: 1, to: 2, reason: 'exit code 1' }]);
  state.rollout = { ...state.rollout, state: 'rolledBack' };
  hub.review(state);
  t.same(take(), [{ type: 'rolloutTakenBack', from: 1, to: 2, reason: 'exit code 1' }]);
  state.rollout = { ...state.rollout, state: 'rolledBack', from: 1, to: 3, reason: 'exit code 2', canary: null };
  hub.review(state);
  t.match(
    take(),
    [
      { type: 'rolloutBegun', to: 3 },
      { type: 'rolloutTakenBack', to: 3 },
    ],
    'also where both came at once',
  );
});

t.test('changes of the supervisor itself', async (t) => {
  const { state, hub } = world();
  const { take } = follow(hub);
  take();
  state.phase = 'restarting';
  state.size = 3;
  state.crashLoop = true;
  hub.review(state);
  t.same(take(), [
    { type: 'stateChanged', from: 'running', to: 'restarting' },
    { type: 'sizeChanged', from: 2, to: 3 },
    { type: 'crashLoopBegun' },
  ]);
  state.crashLoop = false;
  hub.review(state);
  t.same(take(), [{ type: 'crashLoopOver' }]);
});

t.test('all readers have the same ids; where nobody reads nothing is compared', async (t) => {
  const { state, hub } = world();
  const first = follow(hub);
  state.size = 3;
  // It has not been reviewed yet: the first reader hears of it before the second one begins.
  const second = follow(hub);
  t.match(first.events, [{ type: 'snapshot' }, { id: 1, type: 'sizeChanged' }]);
  t.match(second.events, [{ id: 1, type: 'snapshot', size: 3 }]);
  state.size = 4;
  hub.review(state);
  t.match(
    [first.events.at(-1), second.events.at(-1)],
    [
      { id: 2, to: 4 },
      { id: 2, to: 4 },
    ],
  );
  first.unfollow();
  second.unfollow();
  let looked = 0;
  const watched = new Proxy(state, {
    get: (target, key) => {
      looked += 1;
      return Reflect.get(target, key);
    },
  });
  hub.review(watched);
  hub.reported('worker crashed', { worker: 1, code: 1, signal: null });
  t.equal(looked, 0);
});
