/** Custodies that end with their test, and a clock that the test moves. */
import type { Test } from 'tap';
import type { MonotonicMs } from '../../../src/monotonic.js';
import type { ReusePortHow } from '../../../src/sockets/bind/bind.js';
import { Custody, type CustodyOptions, type CustodySocket } from '../../../src/sockets/custody/custody.js';
import { nativeOf, reusePortWays } from '../../fixtures/sockets/support.js';

export const native = { ok: true, native: nativeOf() } as const;
export const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT } = native.native.constants;
export const ways: ReusePortHow[] = [null, ...(await reusePortWays())];

export function custodyFor(t: Test, how: ReusePortHow, more: Partial<CustodyOptions> = {}): Custody {
  const custody = new Custody({
    mode: how === null ? 'reuseaddr' : 'reuseport',
    how,
    steered: false,
    native,
    bindTimeoutMs: 0,
    onWaiting: () => t.fail('nobody has to wait here'),
    ...more,
  });
  t.teardown(() => custody.closeAll());
  return custody;
}

/** A clock that stands still but for sleeps, each of which ends when the test says so. */
export function testClock() {
  const sleeps: { ms: number; wake(): void }[] = [];
  let nowMs = 1000;
  let slept = () => {};
  return {
    now: () => nowMs as MonotonicMs,
    sleep: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        sleeps.push({ ms, wake: resolve });
        slept();
      }),
    /** Resolves with the length of the next sleep, in milliseconds, once somebody sleeps. */
    async nextSleep(): Promise<{ ms: number; wake(): void }> {
      if (sleeps.length === 0) {
        await new Promise<void>((resolve) => {
          slept = resolve;
        });
      }
      const { ms, wake } = sleeps.shift()!;
      return {
        ms,
        wake: () => {
          nowMs += ms;
          wake();
        },
      };
    },
  };
}

export function listen(t: Test, socket: CustodySocket): void {
  t.equal(socket.handle.listen(16), 0, `${socket.key} of slot ${socket.slot} listens`);
}
