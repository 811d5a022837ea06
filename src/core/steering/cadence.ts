/** When the queues are looked at: often enough to matter while connections come, and not at all while none do. */
import {
  deservesSecondLook,
  isBlocked,
  isCalm,
  isCrowded,
  type Patience,
  type QueueState,
  untilTooLong,
} from './congestion.js';

/** A second look at a queue that was just found non-empty. */
export const SECOND_LOOK_MS = 2;
/** While many connections come, or one waits for too long. */
export const BUSY_MS = 5;
/** While so many come that queues are seldom empty, and that tells little: every look costs the workers time. */
export const CROWDED_MS = 10;
/** Connections that come at longer intervals are waited for one by one: that wakes up less often than looking. */
const RARE_MS = 20;
/** As long as this after the last one, more are expected. */
const EXPECTED_MS = 100;

/** When connections were seen waiting, in any queue: at the last such look, and at the one before. */
export interface Seen {
  readonly lastAt: number;
  readonly beforeAt: number;
}

/** @returns in how many milliseconds; null where the next connection is to be waited for */
export function nextLook(
  queues: Iterable<QueueState>,
  { lastAt, beforeAt }: Seen,
  patience: Patience,
  now: number,
): number | null {
  let calm = true;
  let owesAnswer = false;
  let crowded = false;
  let dueMs = Number.POSITIVE_INFINITY;
  for (const queue of queues) {
    if (deservesSecondLook(queue, patience)) return SECOND_LOOK_MS;
    calm &&= isCalm(queue);
    owesAnswer ||= isBlocked(queue);
    if (isBlocked(queue) && !queue.congested) dueMs = Math.min(dueMs, untilTooLong(queue, patience, now));
    crowded ||= isCrowded(queue);
  }
  const areMany = lastAt - beforeAt < RARE_MS && now - lastAt < EXPECTED_MS;
  if (calm && !areMany) return null;
  const regularMs = crowded && !owesAnswer ? CROWDED_MS : BUSY_MS;
  return Math.max(1, Math.min(regularMs, Math.ceil(dueMs)));
}
