import t from 'tap';
import { Course, PAGE_FIELDS } from '../../src/monitor/course.js';
import { FIELDS } from '../../src/page/hour.js';

const point = (requests: number | null, p99Ms: number | null) =>
  PAGE_FIELDS.map((field) => (field === 'requests' ? requests : field === 'p99Ms' ? p99Ms : 0));

t.test('the page and the supervisor have the same order of fields', async (t) => {
  t.same(FIELDS, PAGE_FIELDS);
});

t.test('an hour is kept in three resolutions, of a size that does not grow', async (t) => {
  const course = new Course();
  // Two hours and a half.
  for (let at = 0; at < 9_000; at++) course.add(at, point(at, at));
  const { at, values } = course.history;
  t.ok(at.length <= 541 + 2, `${at.length} points`);
  t.same(
    at,
    [...at].sort((a, b) => a - b),
  );
  t.equal(new Set(at).size, at.length, 'none twice');
  t.equal(at.at(-1), 8_999);
  const oldest = at[0] ?? 0;
  t.ok(9_000 - oldest >= 3_600 && 9_000 - oldest <= 3_720, `it begins ${9_000 - oldest} s ago`);
  const steps = at.slice(1).map((one, i) => one - (at[i] ?? 0));
  t.same(
    [...new Set(steps)].sort((a, b) => a - b).filter((step) => [1, 10, 60].includes(step)),
    [1, 10, 60],
  );
  const fields = Object.fromEntries(PAGE_FIELDS.map((field, i) => [field, values[0]?.[i]]));
  t.match(fields, { requests: oldest + 29.5, p99Ms: oldest + 59 }, 'the mean of a rate, the worst of a delay');
});

t.test('what is not known is no value, and a clock that is set back does not make it grow', async (t) => {
  const course = new Course();
  course.add(0.5, point(null, 3));
  t.same(course.history, { at: [0], values: [point(null, 3)] });
  for (let i = 0; i < 10_000; i++) course.add(i % 2 === 0 ? 100 : 50, point(1, 1));
  t.ok(course.history.at.length <= 543);
});
