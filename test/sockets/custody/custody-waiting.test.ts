import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { CustodySocket } from '../../../src/sockets/custody/custody.js';
import { openFds, request, startStranger } from '../../fixtures/sockets/support.js';
import { custodyFor, listen, testClock, ways } from '../support/custody.js';

/** In another process. */
async function duplicateOf(t: Test, { handle }: CustodySocket): Promise<{ close(): Promise<void> }> {
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', handle.fd] });
  const ended = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return {
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

t.test('looks for strangers on an address that its own ones leave free', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0, 'reuseport');
  for (const how of ways) {
    const custody = custodyFor(t, how);
    listen(t, await custody.acquire(0, request('::', stranger.port, { ipv6Only: true })));
    await t.rejects(custody.acquire(0, request('0.0.0.0', stranger.port)), { code: 'EADDRINUSE' });
    custody.closeAll();
  }
});

t.test('stops waiting when the listener is no longer wanted, and lets the next one in', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  const clock = testClock();
  const custody = custodyFor(t, null, { ...clock, bindTimeoutMs: 60_000, onWaiting: () => {} });
  const wanted = request('127.0.0.1', stranger.port);
  const [one, queued, patient] = [new AbortController(), new AbortController(), new AbortController()];
  const first = custody.acquire(0, wanted, one.signal);
  const second = custody.acquire(1, wanted, queued.signal);
  const third = custody.acquire(2, wanted, patient.signal);
  await clock.nextSleep();
  queued.abort();
  await t.rejects(second, { code: 'ECANCELED' }, 'one that has not had its turn');
  one.abort();
  await t.rejects(first, { name: 'BindError', code: 'ECANCELED', message: /no longer wanted/ });
  const sleep = await clock.nextSleep();
  await stranger.end();
  sleep.wake();
  t.equal((await third).port, stranger.port);
});

t.test('tells what its own sockets refuse, as it was when that was found', async (t) => {
  const custody = custodyFor(t, null);
  const look = await custody.acquire(0, request('127.0.0.1', 0));
  listen(t, look);
  const asked = custody.acquire(0, request('0.0.0.0', look.port));
  // While it is still found out who has the port.
  setImmediate(() => custody.releaseAddress(look.key));
  await t.rejects(asked, { code: 'EADDRINUSE', isOurs: true });
  const stranger = await startStranger(t, '127.0.0.1', 0, 'plain');
  await t.rejects(custody.acquire(0, request('0.0.0.0', stranger.port)), { code: 'EADDRINUSE', isOurs: false });
});

t.test('one of its own that is closed a moment later elsewhere is no stranger', async (t) => {
  for (const how of ways.filter((how) => how !== null)) {
    const clock = testClock();
    const custody = custodyFor(t, how, clock);
    const look = await custody.acquire(0, request('127.0.0.1', 0));
    listen(t, look);
    // As on its way to a worker that has stopped wanting it.
    const duplicate = await duplicateOf(t, look);
    custody.release(0, look.key);
    const wide = custody.acquire(0, request('0.0.0.0', look.port));
    const sleep = await clock.nextSleep();
    t.ok(sleep.ms <= 10);
    await duplicate.close();
    sleep.wake();
    t.equal((await wide).port, look.port);
    custody.closeAll();
  }
});

t.test('and one that stays is, before long', async (t) => {
  const clock = testClock();
  const [how] = ways.filter((how) => how !== null);
  const custody = custodyFor(t, how ?? null, clock);
  const look = await custody.acquire(0, request('127.0.0.1', 0));
  listen(t, look);
  await duplicateOf(t, look);
  custody.release(0, look.key);
  let slept = 0;
  const wide = custody.acquire(0, request('0.0.0.0', look.port)).catch((error) => error);
  for (;;) {
    const next = await Promise.race([wide, clock.nextSleep()]);
    if (!('wake' in next)) {
      t.match(next, { code: 'EADDRINUSE' });
      break;
    }
    slept += next.ms;
    next.wake();
  }
  t.equal(slept, 1_000);
});

t.test('of two that overlap and are asked for at once the second is refused, before anybody listens', async (t) => {
  const custody = custodyFor(t, null);
  const before = await startStranger(t, '127.0.0.1', 0);
  const { port } = before;
  await before.end();
  const [first, second] = await Promise.allSettled([
    custody.acquire(0, request('0.0.0.0', port)),
    custody.acquire(1, request('127.0.0.1', port)),
  ]);
  t.match(first, { status: 'fulfilled' });
  t.match(second, { status: 'rejected', reason: { code: 'EADDRINUSE', isOurs: true } });
  t.equal(custody.list().length, 1);
});

t.test('binds nothing for a listener that is not wanted from the start', async (t) => {
  const custody = custodyFor(t, null);
  await t.rejects(custody.acquire(0, request('127.0.0.1', 0), AbortSignal.abort()), { code: 'ECANCELED' });
  t.same(custody.list(), []);
});

t.test('closes everything for good', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  const clock = testClock();
  const custody = custodyFor(t, null, { ...clock, bindTimeoutMs: 60_000, onWaiting: () => {} });
  const before = openFds();
  await custody.acquire(0, request('127.0.0.1', 0));
  const waiting = custody.acquire(0, request('127.0.0.1', stranger.port));
  await clock.nextSleep();
  custody.closeAll();
  await t.rejects(waiting, { code: 'ECANCELED' });
  await t.rejects(custody.acquire(0, request('127.0.0.1', 0)), { code: 'ECANCELED' });
  t.same(custody.list(), []);
  t.equal(openFds(), before);
});

t.test('does not wait where waiting cannot help', async (t) => {
  const custody = custodyFor(t, null, { bindTimeoutMs: 60_000 });
  await t.rejects(custody.acquire(0, request('203.0.113.9', 80)), { code: 'EADDRNOTAVAIL' });
});

t.test('waits by the real clock as well', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  const custody = custodyFor(t, null, { bindTimeoutMs: 60_000, onWaiting: () => void stranger.end() });
  t.equal((await custody.acquire(0, request('127.0.0.1', stranger.port))).port, stranger.port);
});
