import t from 'tap';
import { Course } from '../../src/monitor/course.js';
import { PAGE_FIELDS } from '../../src/protocol/page.js';

const point = (requests: number | null, p99Ms: number | null) =>
  PAGE_FIELDS.map((field) => (field === 'requests' ? requests : field === 'p99Ms' ? p99Ms : 0));

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

t.test('a supervisor that takes over goes on with the hour of the one before it', async (t) => {
  const before = new Course();
  for (let at = 0; at < 4_005; at++) before.add(at, point(at, at % 7 === 0 ? null : at));
  const text = JSON.stringify(before);
  t.ok(text.length < 100_000, `${text.length} bytes`);
  const after = Course.fromJSON(JSON.parse(text));
  t.same(after.history, before.history);
  for (const course of [before, after]) for (let at = 4_005; at < 4_100; at++) course.add(at, point(at, at));
  t.same(after.history, before.history);
  t.equal(JSON.stringify(after), JSON.stringify(before));
});

t.test('an hour of another version, or nonsense, is none; one that is too long is cut', async (t) => {
  const data = new Course().toJSON();
  const [ring] = data.rings;
  const values = point(1, 1);
  const at = (points: unknown, open: unknown = null) => ({ format: 1, rings: [{ ...ring, points, open }] });
  for (const wrong of [
    ...[
      null,
      7,
      'x',
      [],
      {},
      { ...at([{ at: 1, values }]), format: 2 },
      { format: 1, rings: 7 },
      { format: 1, rings: [null] },
    ],
    ...[at([{ at: 'x', values }]), at([{ at: 1, values: [1] }]), at([{ at: 1, values: values.map(() => 'x') }])],
    ...[at([null]), at('x'), at([{ at: 1, values }], {}), at([{ at: 1, values }], { at: 1, samples: [[]] })],
    { format: 1, rings: [{ everyS: 7, points: [{ at: 1, values }], open: null }] },
  ])
    t.same(Course.fromJSON(wrong).history.at, [], JSON.stringify(wrong)?.slice(0, 60));
  const many = Array.from({ length: 9_000 }, (_none, i) => ({ at: i, values }));
  const samples = many.map((one) => one.values);
  const long = Course.fromJSON(at(many, { at: 9_000, samples }));
  t.equal(long.history.at.length, 301);
  t.equal(long.toJSON().rings[0]?.open?.samples.length, 2);
});
