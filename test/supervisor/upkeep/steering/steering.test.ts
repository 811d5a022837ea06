import t, { type Test } from 'tap';
import type { SocketEvent } from '../../../../src/core/adoption/types.js';
import type { Log } from '../../../../src/logs/logger.js';
import type { Native } from '../../../../src/native/libc.js';
import type { Instruction } from '../../../../src/native/reuse-port-program.js';
import type { CustodySocket, SteeredSockets } from '../../../../src/sockets/custody/custody.js';
import { Steering } from '../../../../src/supervisor/upkeep/steering/steering.js';
import { Driver, PORT } from '../../../core/driver.js';

/** Steering over queues that the test fills, before a kernel that it watches. */
function steered(t: Test, driver: Driver, affinity: 'none' | 'client-ip' = 'none') {
  const sockets = Array.from({ length: driver.state.size }, (_none, slot) => {
    const handle = { fd: slot } as CustodySocket['handle'];
    return { key: PORT, slot, order: slot, handle, host: '0.0.0.0', port: 8080, family: 4, ipv6Only: false } as const;
  });
  const queues = new Map<number, number>();
  const length = (slot: number) => queues.get(slot) ?? 0;
  let wake: (hasCome: boolean) => void = () => {};
  let waits = 0;
  let looks = 0;
  const lists = [sockets];
  const groups = {
    list: () => lists,
    queue: ({ slot }: CustodySocket) => ({ length: length(slot ?? 0), limit: 511 }),
    readable: () => {
      looks += 1;
      return sockets.filter(({ slot }) => length(slot) > 0);
    },
    wait: () =>
      new Promise<boolean>((resolve) => {
        waits += 1;
        wake = resolve;
      }),
  } as unknown as SteeredSockets;
  const kernel = { refuses: false, detached: 0, programs: [] as (readonly Instruction[])[] };
  const native = {
    attachReusePortProgram: (_fd: number, program: readonly Instruction[]) => {
      if (kernel.refuses) throw new Error('EPERM');
      kernel.programs.push(program);
    },
    detachReusePortProgram: () => {
      kernel.detached += 1;
    },
  } as unknown as Native;
  const logger = { isLevelEnabled: () => false, debug: () => {}, error: () => {}, info: () => {} };
  const events: SocketEvent[] = [];
  const asked: number[] = [];
  const steering = new Steering(
    {
      groups,
      native,
      log: { logger } as unknown as Log,
      affinity,
      adoptAfterMs: 5,
      dispatch: (...news) => events.push(...news),
      ask: (worker) => asked.push(worker),
    },
    driver.state,
  );
  t.teardown(() => steering.close());
  steering.review(driver.state);
  return {
    steering,
    events,
    asked,
    kernel,
    /** How often the next connection was waited for. */
    waits: () => waits,
    looks: () => looks,
    fill(slot: number, count: number) {
      queues.set(slot, count);
      wake(true);
    },
    weight: (slot: number) => [...steering.programs.weights].find(([socket]) => socket.slot === slot)?.[1],
  };
}

const stats = {
  cmd: 'NODE_HOLDFAST',
  type: 'stats',
  seq: 1,
  eventLoopDelayMs: 0,
  connections: 0,
  accepted: 0,
  requests: 0,
} as const;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

t.test('a worker whose queue does not empty is asked, gets nothing until it answers, and is helped', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  const s = steered(t, driver);
  t.ok((s.weight(0) ?? 0) > 0);
  s.fill(0, 1);
  await until(() => s.events.length > 0);
  t.match(s.events[0], { type: 'congested', socket: { slot: 0, key: PORT }, helpers: [1] });
  t.ok(s.asked.includes(1));
  t.equal(s.weight(0), 0);
  s.steering.heard(1, stats);
  t.ok((s.weight(0) ?? 0) > 0);
});

t.test('a sibling that had a burst long ago helps all the same', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  const s = steered(t, driver);
  s.fill(1, 500);
  await until(() => s.asked.includes(2));
  s.steering.heard(2, stats);
  const asked = s.asked.length;
  await until(() => s.asked.length > asked);
  const before = s.waits();
  s.fill(1, 0);
  s.steering.heard(2, stats);
  await until(() => s.waits() > before);
  await new Promise((resolve) => setTimeout(resolve, 500));
  s.fill(0, 1);
  const congested = () => s.events.find((event) => event.type === 'congested' && event.socket.slot === 0);
  await until(() => congested() !== undefined);
  t.match(congested(), { socket: { slot: 0, key: PORT }, helpers: [1] });
});

t.test('the answer of a predecessor that drains says nothing of its blocked successor', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  driver.reload();
  driver.bind(3);
  t.same(driver.slots()[0], '1 draining, 2 ready');
  driver.send({ type: 'closed', worker: 1, key: PORT });
  const s = steered(t, driver);
  s.fill(0, 1);
  await until(() => s.events.length > 0);
  t.ok(s.asked.includes(3));
  t.notOk(s.asked.includes(1), 'nor is it asked');
  s.steering.heard(1, stats);
  t.equal(s.weight(0), 0);
  s.steering.heard(3, stats);
  t.ok((s.weight(0) ?? 0) > 0);
});

t.test('who comes to accept on the socket later is asked as well', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  const s = steered(t, driver);
  s.fill(0, 1);
  await until(() => s.asked.includes(1));
  driver.crash(1);
  driver.wait(75);
  const successor = driver.in(0);
  driver.bind(successor);
  s.steering.review(driver.state);
  await until(() => s.asked.includes(successor) || (s.weight(0) ?? 0) > 0);
  s.steering.heard(successor, stats);
  t.ok((s.weight(0) ?? 0) > 0);
});

t.test('a slot without a worker owes no answer: an empty queue there is not looked at again and again', async (t) => {
  const driver = Driver.running({ size: 2, steered: true, policy: { backoffBaseMs: 60_000, backoffMaxMs: 60_000 } });
  const s = steered(t, driver);
  s.fill(0, 1);
  await until(() => s.asked.includes(1));
  driver.crash(1);
  s.steering.review(driver.state);
  const before = s.waits();
  s.fill(0, 0);
  await until(() => s.waits() > before);
  t.pass('it waits for the next connection');
});

t.test('while a program is new only who is avoided, or no longer, is worth another one', async (t) => {
  const driver = Driver.running({ size: 3, steered: true });
  const s = steered(t, driver);
  const told = (worker: number, connections: number) =>
    s.steering.heard(worker, { ...stats, connections, accepted: connections });
  const before = s.kernel.programs.length;
  told(1, 0);
  told(2, 0);
  told(3, 400);
  t.equal(s.kernel.programs.length, before, 'other changes wait');
  s.fill(0, 1);
  await until(() => s.weight(0) === 0);
  t.equal(s.kernel.programs.length, before + 1);
  t.ok((s.weight(1) ?? 0) > (s.weight(2) ?? 0), 'and are in the next one');
});

for (const affinity of ['none', 'client-ip'] as const) {
  t.test(`a single connection is looked at twice, and no change is waited for in vain (${affinity})`, async (t) => {
    const driver = Driver.running({ size: 2, steered: true });
    const s = steered(t, driver, affinity);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const before = s.looks();
    s.fill(0, 1);
    await until(() => s.looks() === before + 1);
    s.fill(0, 0);
    await new Promise((resolve) => setTimeout(resolve, 150));
    t.equal(s.looks(), before + 2);
  });
}

t.test('what could wait is done in the end, though nothing more happens', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  const s = steered(t, driver);
  for (const worker of [1, 2]) {
    s.steering.heard(worker, { ...stats, connections: 400 * worker, accepted: 400 * worker });
  }
  t.equal(s.weight(0), s.weight(1));
  s.fill(0, 0);
  await until(() => (s.weight(0) ?? 0) > (s.weight(1) ?? 0));
  t.pass('who has fewer connections gets more');
});

t.test('when the kernel takes no more programs the core is told, and the hash chooses', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  const s = steered(t, driver);
  s.kernel.refuses = true;
  driver.crash(1);
  s.steering.review(driver.state);
  t.equal(s.steering.programs.failure, 'EPERM');
  t.same(s.events, [{ type: 'steeringFailed' }]);
  t.equal(s.kernel.detached, 1);
  t.equal(s.weight(0), undefined);
});

t.test('after a fault it is tried again, at longer and longer intervals, until it works', async (t) => {
  const driver = Driver.running({ size: 2, steered: true });
  const s = steered(t, driver);
  const delays: number[] = [];
  const retries: (() => void)[] = [];
  const original = globalThis.setTimeout;
  t.intercept(globalThis, 'setTimeout', {
    value: (act: () => void, ms: number) => {
      if (ms < 1_000) return original(act, ms);
      delays.push(ms);
      retries.push(act);
      return original(() => {}, 0);
    },
  });
  s.kernel.refuses = true;
  driver.crash(1);
  s.steering.review(driver.state);
  for (let i = 0; i < 7; i++) retries.shift()?.();
  t.same(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  t.same(s.events, [{ type: 'steeringFailed' }]);
  s.kernel.refuses = false;
  retries.shift()?.();
  t.same(s.events, [{ type: 'steeringFailed' }, { type: 'steeringWorks' }]);
  t.equal(s.steering.programs.failure, null);
  t.equal(s.weight(0), 0, 'nobody is there');
  t.ok((s.weight(1) ?? 0) > 0);
});
