/** The last seconds of each worker's event loop, of which gauges are made. */
import type { MeasuredMessage } from './questions.js';

/** What gauges of the last seconds are made of. */
const SECONDS = 15;

/** The last seconds of a worker. */
interface Course {
  readonly delays: (readonly number[])[];
  /** Active and idle, at each look. */
  readonly loop: (readonly [activeMs: number, idleMs: number])[];
}

export class Courses {
  readonly #courses = new Map<number, Course>();

  heard(worker: number, { loopDelayMs, loopActiveMs, loopIdleMs }: MeasuredMessage): void {
    const course = this.#courses.get(worker) ?? { delays: [], loop: [] };
    this.#courses.set(worker, course);
    if (loopDelayMs.length === 4) course.delays.push(loopDelayMs);
    course.loop.push([loopActiveMs, loopIdleMs]);
    if (course.delays.length > SECONDS) course.delays.shift();
    if (course.loop.length > SECONDS + 1) course.loop.shift();
  }

  gone(worker: number): void {
    this.#courses.delete(worker);
  }

  /** @returns the delays that it has told, and the share of the time in which its loop was active; null where that is not known */
  of(worker: number): { readonly delays: readonly (readonly number[])[]; readonly utilization: number | null } {
    const { delays, loop } = this.#courses.get(worker) ?? { delays: [], loop: [] };
    return { delays, utilization: utilizationOf(loop) };
  }
}

function utilizationOf(loop: Course['loop']): number | null {
  const [first, last] = [loop[0], loop.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [active, idle] = [last[0] - first[0], last[1] - first[1]];
  return active + idle <= 0 ? null : active / (active + idle);
}
