import t, { type Test } from 'tap';
import type { Event } from '../../../src/core/state/events.js';
import { initialState } from '../../../src/core/state/state.js';
import type { State, Worker } from '../../../src/core/state/types.js';
import { LivenessChecks, type LivenessOptions } from '../../../src/supervisor/upkeep/liveness-checks.js';
import type { Stats } from '../../../src/supervisor/workers/questions/stats.js';
import { Driver } from '../../core/driver.js';

const NONE = { maxMemoryBytes: null, maxRequests: null, maxAgeMs: null, maxEventLoopDelayMs: null, hangTimeoutMs: 0 };

/** Two ready workers, watched with a clock that the test moves. */
function watch(t: Test, expected: Partial<ReturnType<LivenessOptions['expected']>>, rssBytes = 0) {
  const limits = { ...NONE, ...expected };
  const driver = Driver.running({ size: 2 });
  for (const worker of [1, 2]) driver.send({ type: 'spawned', worker, pid: 1_000 + worker });
  const events: Event[] = [];
  const asked: number[] = [];
  const told = { now: 0, rssBytes, debugged: 0 };
  const ticks: (() => void)[] = [];
  t.intercept(globalThis, 'setTimeout', { value: (tick: () => void) => ticks.push(tick) });
  const liveness = new LivenessChecks({
    dispatch: (event) => events.push(event),
    ask: (worker) => asked.push(worker),
    usage: async (pids) => new Map(pids.map((pid) => [pid, { rssBytes: told.rssBytes, cpuPercent: 0 }])),
    expected: () => ({ ...limits }),
    isDebugged: async (worker) => worker === told.debugged,
    now: () => told.now,
  });
  liveness.review(driver.state);
  const pass = async (ms: number) => {
    told.now += ms;
    ticks.shift()?.();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return { liveness, events, asked, told, limits, pass, state: driver.state, ticks };
}

const stats = (more: Partial<Stats> = {}): Stats =>
  ({ type: 'stats', seq: 0, eventLoopDelayMs: 1, connections: 0, accepted: 0, requests: 0, ...more }) as Stats;

t.test('who gives no sign of life in time hangs, and is told once', async (t) => {
  const { liveness, events, asked, pass } = watch(t, { hangTimeoutMs: 4_000 });
  await pass(1_000);
  t.same(asked, [1, 2]);
  liveness.heard(2, stats());
  for (let i = 0; i < 3; i++) await pass(1_000);
  t.same(events, []);
  t.same(asked, [1, 2, 2], 'one question at a time');
  liveness.heard(2, stats());
  await pass(1_000);
  t.same(events, [{ type: 'hung', worker: 1, silentMs: 4_000 }]);
  await pass(1_000);
  t.equal(events.length, 1);
});

t.test('a supervisor that was stopped itself blames nobody', async (t) => {
  const { events, asked, pass } = watch(t, { hangTimeoutMs: 4_000 });
  await pass(1_000);
  await pass(3_600_000);
  t.same(events, []);
  t.same(asked, [1, 2, 1, 2], 'it asks anew');
});

t.test('limits are looked at, with what the system says of memory', async (t) => {
  const { events, told, pass, liveness } = watch(
    t,
    { maxMemoryBytes: 100 * 2 ** 20, maxRequests: 1_000 },
    50 * 2 ** 20,
  );
  await pass(2_500);
  liveness.heard(2, stats({ requests: 2_000 }));
  await pass(2_500);
  t.match(events, [{ type: 'exceeded', worker: 2, reason: /maxRequests: 2000 of 1000/ }]);
  told.rssBytes = 200 * 2 ** 20;
  for (let i = 0; i < 3; i++) await pass(2_500);
  t.ok(
    events.some((event) => event.type === 'exceeded' && event.worker === 1 && /maxMemory: 200 MiB/.test(event.reason)),
  );
});

t.test('with nothing to look for, and with nobody to look at, it sleeps', async (t) => {
  t.equal(watch(t, {}).ticks.length, 0);
  const { liveness, ticks } = watch(t, { hangTimeoutMs: 1_000 });
  t.equal(ticks.length, 1);
  const empty: State = initialState({
    size: 1,
    listenMode: 'reuseport',

    policy: new Driver().policy,
  });
  const nobody: Worker[] = [];
  liveness.review({ ...empty, workers: nobody });
  t.equal(ticks.length, 1);
});

t.test('a limit that changes with the number of workers holds for those that are there already', async (t) => {
  const { liveness, events, limits, pass, state } = watch(t, { maxMemoryBytes: 200 * 2 ** 20 }, 150 * 2 ** 20);
  for (let i = 0; i < 4; i++) await pass(2_500);
  t.same(events, []);
  limits.maxMemoryBytes = 100 * 2 ** 20;
  liveness.review(state);
  for (let i = 0; i < 3; i++) await pass(2_500);
  t.same(
    events.map((event) => event.type === 'exceeded' && event.reason),
    ['maxMemory: 150 MiB of 100 MiB', 'maxMemory: 150 MiB of 100 MiB'],
  );
});

t.test('who stands at a breakpoint does not hang, until its debugger has gone', async (t) => {
  const { liveness, events, told, pass } = watch(t, { hangTimeoutMs: 4_000 });
  told.debugged = 1;
  await pass(1_000);
  for (let i = 0; i < 9; i++) {
    liveness.heard(2, stats());
    await pass(1_000);
  }
  t.same(events, []);
  told.debugged = 0;
  for (let i = 0; i < 5; i++) {
    liveness.heard(2, stats());
    await pass(1_000);
  }
  t.match(events, [{ type: 'hung', worker: 1 }]);
});
