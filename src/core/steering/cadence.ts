/** How often the queues are looked at: often enough to matter while connections come, seldom when none do. */
import { deservesSecondLook, type QueueState } from './congestion.js';

/** A second look at a queue that was just found non-empty. */
export const SECOND_LOOK_MS = 2;
/** While connections come. */
export const BUSY_MS = 5;
/** While none do. */
export const IDLE_MS = 20;
/** Without any connection in any queue for this long, none come. */
const IDLE_AFTER_MS = 2_000;

/** @param seenAt when a connection was last seen waiting in any queue */
export function nextLook(queues: Iterable<QueueState>, seenAt: number, now: number): number {
  let standing = false;
  for (const queue of queues) {
    if (deservesSecondLook(queue)) return SECOND_LOOK_MS;
    standing ||= queue.askedAt !== null || queue.congested;
  }
  return standing || now - seenAt < IDLE_AFTER_MS ? BUSY_MS : IDLE_MS;
}
