/** The last seconds of each worker's event loop, of which gauges are made. */
import type { OwnMeasured } from './questions.js';

/** What gauges of the last seconds are made of. */
const LAST_MS = 15_000;

/** The last seconds of a worker. */
interface Course {
  readonly delays: { readonly at: number; readonly delay: readonly number[] }[];
  /** Active and idle. */
  readonly loop: { readonly at: number; readonly activeMs: number; readonly idleMs: number }[];
  /** Of the same, until it tells something else. */
  told: Told | null;
}

/** The delays that a worker has told, and the share of the time in which its loop was active; null where that is not known. */
interface Told {
  readonly delays: readonly (readonly number[])[];
  readonly utilization: number | null;
}
const NOTHING: Told = { delays: [], utilization: null };

export class Courses {
  readonly #courses = new Map<number, Course>();

  /** @param at in milliseconds, of a clock that does not go back */
  heard(worker: number, { loopDelayMs, loopActiveMs: activeMs, loopIdleMs: idleMs }: OwnMeasured, at: number): void {
    const course = this.#courses.get(worker) ?? { delays: [], loop: [], told: null };
    this.#courses.set(worker, course);
    course.told = null;
    if (loopDelayMs.length === 4) course.delays.push({ at, delay: loopDelayMs });
    course.loop.push({ at, activeMs, idleMs });
    // Of one that is asked seldom there is one answer, and the one before it.
    while (course.delays.length > 1 && isOld(course.delays[0], at)) course.delays.shift();
    while (course.loop.length > 2 && isOld(course.loop[1], at)) course.loop.shift();
  }

  gone(worker: number): void {
    this.#courses.delete(worker);
  }

  /** @returns the same as before where it has told nothing since */
  of(worker: number): Told {
    const course = this.#courses.get(worker);
    if (course === undefined) return NOTHING;
    const { delays, loop } = course;
    course.told ??= { delays: delays.map(({ delay }) => delay), utilization: utilizationOf(loop) };
    return course.told;
  }
}

function isOld(one: { readonly at: number } | undefined, now: number): boolean {
  return one !== undefined && now - one.at >= LAST_MS;
}

function utilizationOf(loop: Course['loop']): number | null {
  const [first, last] = [loop[0], loop.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [active, idle] = [last.activeMs - first.activeMs, last.idleMs - first.idleMs];
  return active + idle <= 0 ? null : active / (active + idle);
}
