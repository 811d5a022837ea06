import t from 'tap';
import { Courses } from '../../../src/supervisor/observe/courses.js';
import type { OwnMeasured } from '../../../src/supervisor/observe/questions.js';
import { measuredOf } from '../../monitor/support/measured.js';

const message = (more: Parameters<typeof measuredOf>[0]) => measuredOf(more) as unknown as OwnMeasured;

t.test('gauges are of the last 15 s, however often a worker is asked', async (t) => {
  for (const distance of [1, 4]) {
    const courses = new Courses();
    for (let second = 0; second <= 40; second += distance) {
      const late = second === 4 ? 900 : second;
      courses.heard(
        1,
        message({ loopDelayMs: [late, late, late, late], loopActiveMs: second * 500, loopIdleMs: second * 500 }),
        second * 1_000,
      );
    }
    const { delays, utilization } = courses.of(1);
    t.ok(
      delays.every(([mean = 0]) => mean > 40 - 15 && mean <= 40),
      `asked every ${distance} s: ${delays.map(([mean]) => mean)}`,
    );
    t.equal(utilization, 0.5);
  }
});

t.test('of one that is asked seldom there is the last answer, and what it did since the one before', async (t) => {
  const courses = new Courses();
  courses.heard(1, message({ loopDelayMs: [1, 1, 1, 1], loopActiveMs: 0, loopIdleMs: 0 }), 0);
  courses.heard(1, message({ loopDelayMs: [2, 2, 2, 2], loopActiveMs: 1_000, loopIdleMs: 31_000 }), 32_000);
  courses.heard(1, message({ loopDelayMs: [3, 3, 3, 3], loopActiveMs: 25_000, loopIdleMs: 39_000 }), 64_000);
  t.same(courses.of(1), { delays: [[3, 3, 3, 3]], utilization: 0.75 });
  courses.gone(1);
  t.same(courses.of(1), { delays: [], utilization: null });
});

t.test('it is the same as before until the worker tells something, and then something else', async (t) => {
  const courses = new Courses();
  courses.heard(1, message({ loopDelayMs: [1, 1, 1, 1], loopActiveMs: 0, loopIdleMs: 0 }), 0);
  const told = courses.of(1);
  t.equal(courses.of(1), told);
  courses.heard(2, message({ loopDelayMs: [5, 5, 5, 5] }), 500);
  t.equal(courses.of(1), told, 'another worker is no news of it');
  courses.heard(1, message({ loopDelayMs: [2, 2, 2, 2], loopActiveMs: 250, loopIdleMs: 750 }), 1_000);
  t.same(courses.of(1), {
    delays: [
      [1, 1, 1, 1],
      [2, 2, 2, 2],
    ],
    utilization: 0.25,
  });
});
