/** Supervisors that have gone, or are being replaced, and may come back under the same name. */
import { setTimeout as delay } from 'node:timers/promises';
import { runningNames, supervisorNames } from '../../control/client/find.js';
import { controlSocketPath, probeSocket } from '../../control/socket-path.js';

/** From one look to the next: the first, and the longest. */
const LOOK_MS = 50;
const LONGEST_LOOK_MS = 500;
/** How long an answer that is given once is put off. */
const PATIENCE_MS = 1_500;

/** Resolves when somebody listens there; with false once `signal` is aborted. */
export async function comesBack(socketPath: string, signal: AbortSignal): Promise<boolean> {
  for (let pauseMs = LOOK_MS; !signal.aborted; pauseMs = Math.min(LONGEST_LOOK_MS, 2 * pauseMs)) {
    if ((await probeSocket(socketPath)) === 'listening') return !signal.aborted;
    await delay(pauseMs, undefined, { signal }).catch(() => {});
  }
  return false;
}

/**
 * Gives those a moment that have left their control socket behind, as one does that was killed: the next one may be on its way.
 * Only where the answer would be that nobody is there.
 *
 * @param names `all` for whoever runs
 */
export async function giveAMoment(dir: string, names: readonly string[]): Promise<void> {
  const areAll = names.includes('all');
  if (areAll && (await runningNames(dir)).length > 0) return;
  const there = await supervisorNames(dir);
  const left = areAll ? there : there.filter((name) => names.includes(name));
  if (left.length === 0) return;
  const late = AbortSignal.timeout(PATIENCE_MS);
  const each = left.map((name) => comesBack(controlSocketPath(dir, name), late));
  await (areAll ? Promise.any(each.map((one) => one.then(orReject))) : Promise.all(each)).catch(() => {});
}

function orReject(isBack: boolean): void {
  if (!isBack) throw new Error('it has not come back');
}
