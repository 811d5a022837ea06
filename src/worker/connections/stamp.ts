/**
 * What is put on each socket that our servers accept: when that was, and in its place a stamp once bytes are counted. Nothing
 * else, as a socket that has more on it than usual is not handed over; and an object for each would cost a new connection 4 %,
 * also where nobody observes.
 *
 * Not every socket is Node's own: one that throws when it is looked at is none of ours.
 */
import { performance } from 'node:perf_hooks';

/** Of a connection that somebody counts the bytes of. */
export class Stamp {
  /** In milliseconds. */
  readonly acceptedAt: number;
  /** Bytes that have been counted: not of what it carries for TLS and HTTP/2. */
  received = 0;
  sent = 0;
  /** It is in the list of those that are looked at again. */
  isDue = false;

  constructor(acceptedAt: number) {
    this.acceptedAt = acceptedAt;
  }
}

const ACCEPTED_AT = Symbol('accepted at');
type Stamped = { [ACCEPTED_AT]?: number | Stamp };

/** One of our servers has just accepted it. */
export function mark(socket: object): void {
  (socket as Stamped)[ACCEPTED_AT] = performance.now();
}

/** Told at each request, where a look into a set of those that are not would cost more. */
export function isMarked(socket: object): boolean {
  try {
    return (socket as Stamped)[ACCEPTED_AT] !== undefined;
  } catch {
    return false;
  }
}

/** In milliseconds; now for one that has no mark. */
export function acceptedAt(socket: object): number {
  const at = (socket as Stamped)[ACCEPTED_AT] ?? performance.now();
  return typeof at === 'number' ? at : at.acceptedAt;
}

/**
 * undefined of one that has no mark, null of one that has no stamp.
 *
 * @param makes whether it gets one that has none
 */
export function stampOf(socket: object, makes: boolean): Stamp | null | undefined {
  try {
    const at = (socket as Stamped)[ACCEPTED_AT];
    if (typeof at !== 'number') return at;
    if (!makes) return null;
    const stamp = new Stamp(at);
    (socket as Stamped)[ACCEPTED_AT] = stamp;
    return stamp;
  } catch {
    return undefined;
  }
}

/** Whether somebody is going to look at it again; what throws, as a stand-in may, counts as if so, and costs its own bytes. */
export function isDue(socket: object): boolean {
  try {
    const at = (socket as Stamped)[ACCEPTED_AT];
    return typeof at === 'object' && at.isDue;
  } catch {
    return true;
  }
}
