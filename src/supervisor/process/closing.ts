/** How a supervisor ends: nothing that hangs may keep it. */
import type { Supervisor } from '../supervisor.js';

/** Waits for all of them, and says what went wrong: one that fails must not keep the others from their end. */
export async function failures(closing: readonly (Promise<unknown> | undefined)[]): Promise<string[]> {
  const settled = await Promise.allSettled(closing);
  return settled.flatMap((one) =>
    one.status === 'fulfilled' ? [] : [one.reason instanceof Error ? one.reason.message : String(one.reason)],
  );
}

/** A stop ends, whatever hangs: a file system that does not answer, or a client that does not read. */
export async function atMost(timeMs: number, closing: Promise<string[]>): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string[]>((resolve) => {
    timer = setTimeout(() => resolve([`it takes longer than ${timeMs / 1000} s`]), timeMs);
  });
  try {
    return await Promise.race([closing, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** At once. */
export async function endWorkers(supervisor: Supervisor): Promise<string[]> {
  void supervisor.stop(() => {});
  supervisor.stopNow();
  await supervisor.ended;
  return [];
}
