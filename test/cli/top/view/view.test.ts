import t from 'tap';
import { begin } from '../../../../src/cli/top/model/model.js';
import { COLUMNS, columnsFor, shortDelay, shortNumber } from '../../../../src/cli/top/model/rows.js';
import { view } from '../../../../src/cli/top/view/view.js';
import { statusOf } from '../../../control/support/fake-target.js';
import { after, keys, lookedAt, picture, status, worker, workers } from '../support.js';

const LINE = {
  ...{ level: 'warn', time: '2026-01-02T03:04:05.678Z', name: 'shop', slot: 1, worker: 2 },
  ...{ generation: 3, msg: '漢字 \u001b[31mred\u001b[0m\u0007 50% ^R', afterMs: 333.39386000000013 },
};
const LOG = [
  JSON.stringify(LINE),
  'no JSON',
  'null',
  JSON.stringify({ level: 'info', msg: 'of the supervisor', time: 0 }),
];

t.test('80x24: everything of two workers, the log and the keys', async (t) => {
  const { lines, widest, text } = picture(after(lookedAt(2), [{ type: 'logs', lines: LOG }]), 80, 24);
  t.equal(lines.length, 24);
  t.ok(widest <= 80, `${widest}`);
  t.equal(lines[0], 'shop  running  generation 3  2 of 2 ready  up 1m 6s');
  t.match(lines[1], /^cpu 25% {2}mem 96\.0M {2}connections 14 {2}req\/s 10 {2}err\/s 2 {2}p99 0\.2ms .*█$/);
  t.equal(lines[3], '↑slot gen state    cpu%    mem  loop conn req/s err/s   p99 queue weight   req/s');
  t.equal(lines[4], '>   0   3 ready      12  48.0M 0.3ms    7     0     1     -     0     64       ▁');
  t.equal(lines[5], '    1   3 ready      12  48.0M 0.3ms    7    10     1 0.2ms     1     64       █');
  t.equal(lines[6], 'log');
  t.match(lines[7], /^\d\d:\d\d:05 warn {2}slot 1 worker 2 漢字 red {2}50% \^R after=0\.3 s$/);
  t.match(lines[8], /^\d\d:\d\d:00 info {2}of the supervisor$/);
  t.match(lines[23], /^ ↑↓ choose {2}Enter worker {2}s sort .* q quit$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them is to be left
  t.notMatch(text, /no JSON|\u001b|\u0007/);
});

t.test('64 workers: as many as there is room for, those around the chosen one', async (t) => {
  const state = lookedAt(64);
  const first = picture(state, 80, 24);
  t.ok(first.widest <= 80);
  const shown = first.lines.filter((line) => /^[> ] +\d+ +3 ready/.test(line));
  t.ok(shown.length >= 10, `${shown.length} of them`);
  const last = picture(keys(state, 'END'), 80, 24);
  t.match(last.text, /^> {2}63 /m);
  t.equal(
    last.lines.filter((line) => /^[> ] +\d+ +3 ready/.test(line)).length,
    shown.length,
    'the last page is full, too',
  );
  t.match(first.text, new RegExp(`^log .* workers 1 to ${shown.length} of 64$`, 'm'));
  t.match(picture(keys(state, '+'), 80, 24).lines[23], /any other key no$/);
  t.equal(last.lines.length, 24);
  const large = picture(state, 160, 50);
  t.ok(large.lines.filter((line) => /^[> ] +\d+ +\d+ +3 /.test(line)).length >= 28);
  t.match(large.text, /slot worker gen {5}pid state {5}uptime restarts/);
  t.ok(large.widest <= 160 && large.lines.length === 50);
});

t.test('no line is too wide and none is missing, on every page and in every size', async (t) => {
  const state = after(lookedAt(64), [{ type: 'logs', lines: Array.from({ length: 100 }, () => LOG[0] ?? '') }]);
  const listed = ['api', 'x'.repeat(60), 'web'].map((name) => ({
    name,
    status: name === 'web' ? null : statusOf(name),
  }));
  const states = {
    ...{ workers: state, worker: keys(state, 'DOWN', 'ENTER'), help: keys(state, '?'), question: keys(state, '+') },
    ...{
      typing: keys(state, '/', ...'漢字'),
      busy: after(keys(state, 'r', 'y'), [{ type: 'step', text: 'x'.repeat(300) }]),
    },
    ...{
      gone: after(state, [{ type: 'silent', gone: true }]),
      list: after(begin(null, 0), [{ type: 'listed', listed }]),
    },
    ...{ asking: begin('shop', 0), none: after(begin(null, 0), [{ type: 'listed', listed: [] }]) },
  };
  for (const [name, one] of Object.entries(states)) {
    for (const [width, height] of [
      [80, 24],
      [160, 50],
      [60, 12],
      [61, 13],
      [100, 20],
      [40, 10],
      [1, 1],
      [300, 5],
    ] as const) {
      const { lines, widest } = picture(one, width, height);
      if (lines.length !== height || widest > width) t.fail(`${name} ${width}x${height}: ${widest}x${lines.length}`);
    }
  }
  t.pass('all of them');
});

t.test('who has come from the list is told how to go back, on 80 columns too', async (t) => {
  const listed = ['api', 'shop'].map((name) => ({ name, status: statusOf(name) }));
  const state = after(begin(null, 0), [{ type: 'listed', listed }]);
  t.match(picture(keys(state, 'ENTER'), 80, 24).lines[23], /^ Esc list {2}Enter worker .* q quit$/);
});

t.test('nothing of the help is cut on 80 columns', async (t) => {
  t.notMatch(picture(keys(lookedAt(2), '?'), 80, 24).text, /…/);
});

t.test('40x10 is too small, and says what is needed', async (t) => {
  const { lines } = picture(lookedAt(2), 40, 10);
  t.same(lines.slice(0, 3), ['The terminal is too small', '40x10; needs 60x12', 'q quits']);
});

t.test('a rollout, a canary, a crash loop and a release that was rolled back are told', async (t) => {
  const figures = {
    canary: { answers: 100, serverErrors: 5, p99Ms: 12, loopDelayMs: 1 },
    others: { answers: 1000, serverErrors: 0, p99Ms: 3, loopDelayMs: 1 },
  };
  const canary = { slot: 2, share: 0.05, exact: true, remainingMs: 61_000, figures };
  const rollout = {
    state: 'running',
    reason: null,
    from: 2,
    to: 3,
    canary,
    trial: { slot: 2, remainingMs: 900 },
  } as const;
  const { text } = picture(lookedAt(2, { rollout, crashLoop: true }), 100, 24);
  t.match(text, /^crash loop: workers crash again and again$/m);
  t.match(text, /^rollout from generation 2 to 3 {2}2 of 2 replaced {2}slot 2 on trial, 1s left$/m);
  t.match(text, /^canary in slot 2, 5%, 1m 1s left {2}5xx 5\.0% \(others 0\.0%\) {2}p99 12ms \(others 3\.0ms\)$/m);
  const back = { ...rollout, state: 'rolledBack', reason: 'exit\u001b[2J code 1', canary: null, trial: null } as const;
  t.match(
    picture(lookedAt(2, { rollout: back }), 80, 24).text,
    /^rollout rolled back from generation 2 to 3: exit.* code 1$/m,
  );
});

t.test('questions, progress and results have a line of their own', async (t) => {
  const state = lookedAt(4);
  t.match(
    picture(keys(state, 'r'), 120, 24).lines[23],
    /^ Reload shop: replace all 4 workers\? {2}y yes {2}any other key no/,
  );
  t.match(picture(keys(state, '+', '+'), 120, 24).lines[23], /^ Scale shop from 4 to 6 workers\?/);
  const busy = after(keys(state, 'r', 'y'), [{ type: 'step', text: 'worker ready slot=0' }], 3_000);
  t.match(picture(busy, 80, 24).lines[22], /^ reload of shop, 2s: worker ready slot=0$/);
  const failed = after(busy, [{ type: 'result', ok: false, text: 'shop: failed: exit code 1' }]);
  t.equal(picture(failed, 80, 24).lines[22], ' shop: failed: exit code 1');
});

t.test('that the supervisor has gone, or is late, stands where its state stood', async (t) => {
  const gone = after(after(lookedAt(2), [{ type: 'silent', gone: true }], 5_000), [{ type: 'tick' }], 9_000);
  t.equal(picture(gone, 80, 24).lines[0], 'shop  the supervisor has gone, 4s ago; waiting for it');
  const back = after(gone, [{ type: 'status', status: status(workers(2)) }], 10_000);
  t.match(picture(back, 80, 24).lines[0], /^shop {2}running .* up .* {2}the supervisor is back$/);
  const later = after(back, [{ type: 'tick' }], 20_000);
  t.notMatch(picture(later, 80, 24).lines[0], /back/, 'for a while');
  const late = after(lookedAt(2), [{ type: 'silent', gone: false }], 6_500);
  t.equal(picture(late, 80, 24).lines[0], 'shop  does not answer for 5s', 'since its last answer');
  const styles = new Set(view(late, { width: 80, height: 24 })[5]?.map(({ style }) => style));
  t.same([...styles].sort(), ['bold', 'dim', 'plain'], 'what was known last is pale');
});

t.test('one worker, with all that is known of it and its own lines alone', async (t) => {
  const list = [
    worker(0),
    worker(1, { restarts: 2, restartReason: 'exit\u0007 code 1', scriptChanged: true, missing: ['listen'] }),
  ];
  const other = JSON.stringify({ ...LINE, slot: 0, worker: 1, msg: 'of the other one' });
  const state = after(begin('shop', 0), [
    { type: 'status', status: status(list) },
    { type: 'logs', lines: [...LOG, other] },
  ]);
  const { text } = picture(keys(state, 'DOWN', 'ENTER'), 80, 40);
  for (const wanted of [
    /^ worker 2 {2}slot 1 {2}generation 3 {2}pid 4001 {2}ready/m,
    /^ loop delay {4}0\.3ms .* p99, 10 s/m,
    /^ crashes {7}2 of its slot/m,
    /^ the last one of its slot: exit {2}code 1$/m,
    /^ it runs a file that has changed since generation 3 was loaded$/m,
    /^ missing: listen$/m,
    /^log of worker 2$/m,
    /漢字 red {2}50%/,
  ]) {
    t.match(text, wanted);
  }
  t.notMatch(text, /of the other one|of the supervisor/);
});

t.test('the list of supervisors', async (t) => {
  const listed = [
    { name: 'api', status: statusOf('api', { workers: workers(2) }) },
    { name: 'web', status: null },
  ];
  const { text } = picture(keys(after(begin(null, 0), [{ type: 'listed', listed }]), 'DOWN'), 80, 24);
  t.match(text, /^ api +running +3 +2\/2 +1m 5s +25 +96\.0M +none$/m);
  t.match(text, /^>web +not answering$/m);
});

t.test('80 columns have room for all that one looks at, and numbers never break a column', async (t) => {
  const { columns, bars } = columnsFor(80, 6);
  t.ok(bars >= 5, `${bars}`);
  for (const key of [
    'cpu',
    'memory',
    'delay',
    'connections',
    'requests',
    'errors',
    'p99',
    'queue',
    'weight',
    'state',
    'generation',
  ]) {
    t.ok(
      columns.some((column) => column.key === key),
      key,
    );
  }
  t.equal(columnsFor(200, 6).columns.length, COLUMNS.length);
  t.same([0, 0.44, 3.99, 9.96, 12, 9_999, 10_000, 999_400, 1e6, 12e6].map(shortNumber), [
    ...['0', '0.4', '4', '10', '12', '9999', '10k', '999k', '1.0M', '12M'],
  ]);
  t.same([0.05, 9.96, 120, 999, 1_234, 65_000].map(shortDelay), ['0.1ms', '10ms', '120ms', '999ms', '1.2s', '65s']);
});
