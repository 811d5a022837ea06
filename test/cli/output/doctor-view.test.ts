import t from 'tap';
import { complaints, describeReport } from '../../../src/cli/output/doctor-view.js';
import type { DoctorReport } from '../../../src/platform/doctor.js';

const check = { id: 'koffi', title: 'koffi', result: 'ok', found: 'loaded', meaning: 'good', remedy: null } as const;
const promised = {
  number: 1,
  promise: 'nothing is lost',
  state: 'kept',
  reason: null,
  remedy: null,
  checks: [],
} as const;
const healthy: DoctorReport = { ok: true, promises: [promised], checks: [check] };

t.test('shows promises and checks, what they mean and what to do', async (t) => {
  const report: DoctorReport = {
    ok: false,
    promises: [promised, { ...promised, number: 4, promise: 'it steers', state: 'broken', reason: 'koffi: not there' }],
    checks: [
      { ...check, id: 'reusePort', title: 'SO_REUSEPORT' },
      { ...check, result: 'missing', found: 'not there', meaning: 'no steering', remedy: 'npm install koffi' },
    ],
  };
  t.equal(
    describeReport(report, false),
    [
      'promise  here',
      '1        kept    nothing is lost',
      '4        broken  it steers',
      '                 koffi: not there',
      '',
      'check         result   what was found',
      'SO_REUSEPORT  ok       loaded',
      '                       means: good',
      'koffi         missing  not there',
      '                       means: no steering',
      '                       remedy: npm install koffi',
      '',
    ].join('\n'),
  );
});

t.test('no line is wider than the terminal, or than 100 columns; no word is lost', async (t) => {
  const found = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');
  const report: DoctorReport = { ...healthy, checks: [{ ...check, found, meaning: found, remedy: found }] };
  for (const [columns, widest] of [
    [60, 60],
    [99, 99],
    [200, 100],
    [undefined, 100],
  ] as const) {
    const text = describeReport(report, false, columns);
    const widths = text.split('\n').map((line) => line.length);
    t.ok(Math.max(...widths) <= widest, `${columns}: ${Math.max(...widths)}`);
    t.ok(Math.max(...widths) > widest - 10, 'and the room is used');
    t.equal(text.match(/word\d+/g)?.length, 3 * 60);
  }
});

t.test('a narrow terminal gets words rather than letters, and a long word stays whole', async (t) => {
  const path = `/${'x'.repeat(150)}`;
  const text = describeReport({ ...healthy, checks: [{ ...check, found: `in ${path} it is` }] }, false, 10);
  t.match(text, new RegExp(`in\n +${path}\n +it is\n`));
});

t.test('colours say how grave it is: what nobody can mend alarms nobody', async (t) => {
  const grave = describeReport({ ...healthy, checks: [{ ...check, result: 'missing', remedy: 'do' }] }, true);
  t.match(grave, '\u001b[31mmissing\u001b[39m');
  t.match(grave, '\u001b[32mkept\u001b[39m');
  const calm = describeReport({ ...healthy, checks: [{ ...check, result: 'missing' }] }, true);
  t.match(calm, '\u001b[33mmissing\u001b[39m');
  t.notMatch(describeReport(healthy, false), '\u001b');
});

t.test('what was found cannot steer the terminal', async (t) => {
  const text = describeReport({ ...healthy, checks: [{ ...check, found: 'a\u001b[2Jb\nc' }] }, false);
  t.match(text, 'a [2Jb c\n');
  t.notMatch(text, '\u001b');
});

t.test('complains once for each reason, with the remedy', async (t) => {
  const broken = { ...promised, state: 'broken', reason: 'no folder', remedy: 'make one' } as const;
  const report: DoctorReport = {
    ok: false,
    checks: [],
    promises: [
      broken,
      { ...broken, number: 2 },
      { ...promised, number: 3 },
      { ...promised, number: 4, state: 'unknown', reason: 'not tried', remedy: null },
    ],
  };
  t.same(complaints(report), [
    { message: 'cannot keep promises 1 and 2: no folder', hint: 'make one' },
    { message: 'cannot tell whether this machine keeps promise 4: not tried', hint: undefined },
  ]);
  t.same(complaints(healthy), []);
});
