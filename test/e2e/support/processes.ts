import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';

/** One that nobody has waited for yet (a zombie) has ended. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Resolves when none of them runs any more; there is nobody who would tell. */
export async function haveEnded(...pids: number[]): Promise<void> {
  while (pids.some(isRunning)) await delay(5);
}

/** Ends them with the test. */
export function endWith(t: Test, ...pids: number[]): void {
  t.teardown(() => {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has gone by itself.
      }
    }
  });
}
