import t from 'tap';
import { differences, sparedSlots } from '../../src/page/differs.js';
import { Hour, shownS, single } from '../../src/page/hour.js';
import { share, standing, stateOf } from '../../src/page/states.js';
import { AT_LINES, bytes, count, dated, firstLine, ms, percent, time, withoutAnsi } from '../../src/page/words.js';
import type { PageMark, PageNow, PageWorker } from '../../src/protocol/page.js';

const worker = (id: number, more: Partial<PageWorker> = {}): PageWorker => ({
  ...{ id, slot: id, generation: 1, pid: 1, state: 'ready', uptimeMs: 1, restarts: 0, restartReason: null },
  ...{ requests: 100, errors: 0, p99Ms: 20, loopDelayMs: 1, cpu: 0.2, memoryBytes: 100 * 1024 ** 2 },
  ...{ connections: 1, got: 0.25 },
  ...more,
});

const none: ReadonlySet<number> = new Set();

t.test('a worker that is not like the others is found, and in what', async (t) => {
  const three = [1, 2, 3].map((id) => worker(id));
  t.same([...differences(three, none)], []);
  t.same(
    [...differences([...three, worker(4, { memoryBytes: 300 * 1024 ** 2 })], none)],
    [[4, 'memory 3.0 times that of the others']],
  );
  t.same(
    [...differences([...three, worker(4, { errors: 5, p99Ms: 900 })], none)],
    [[4, 'errors, p99 45.0 times that of the others']],
  );
  t.same([...differences([...three, worker(4, { cpu: 0.4 })], none)], [], 'little is made of little');
  t.same([...differences([worker(1), worker(2, { cpu: 9 })], none)], [], 'of two none is the odd one');
  t.same([...differences([...three, worker(4, { memoryBytes: null })], none)], [], 'what is not known');
  t.same([...differences([...three, worker(4, { state: 'starting', cpu: 9 })], none)], [], 'who does not serve');
});

t.test('a worker that is asked far less than the others is found, unless it has to be', async (t) => {
  const old = { uptimeMs: 60_000 };
  const asked = (figures: readonly number[], more: Partial<PageWorker> = {}, spared: ReadonlySet<number> = none) => [
    ...differences(
      figures.map((requests, id) => worker(id, { ...old, requests, ...(id === 0 && more) })),
      spared,
    ),
  ];
  t.same(asked([20, 100, 100, 100]), [[0, 'requests 0.2 times that of the others']]);
  t.same(asked([0, 100, 100, 100]), [[0, 'no requests']]);
  t.same(asked([34, 100, 100, 100]), [], 'more than a third');
  t.same(asked([0, 100, 100, 100], { uptimeMs: 59_999 }), [], 'it is new');
  t.same(asked([0, 100, 100, 100], {}, new Set([0])), [], 'it is to have less');
  t.same(asked([0, 100, 100, 100], {}, new Set([1])), [[0, 'no requests']], 'another one is');
  t.same(
    asked([100, 100, 100], { cpu: 0, memoryBytes: 0, p99Ms: 0 }),
    [],
    'of other things there cannot be too little',
  );
});

t.test('a canary is to have less, and whom the kernel is told to pick less than half as often', async (t) => {
  const spared = (weights: readonly (number | null)[], canary: number | null = null) => {
    const sockets = weights.map((weight, slot) => ({ slot, weight, queueLength: null, backlog: null }));
    const status = {
      rollout: { canary: canary === null ? null : { slot: canary } },
      addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 80, sockets }],
    };
    return [...sparedSlots(status as unknown as PageNow['status'])];
  };
  t.same(spared([1024, 511, 512, 0]), [1, 3]);
  t.same(spared([900, 1000, 3000], 2), [2], 'however much it has');
  t.same(spared([null, null]), [], 'nobody picks');
  t.same(spared([null, null], 1), [1]);
});

t.test('where there is no usual, only who has much stands out', async (t) => {
  const found = (...figures: number[]) => [
    ...differences(
      figures.map((requests, id) => worker(id, { uptimeMs: 60_000, requests })),
      none,
    ).keys(),
  ];
  t.same(found(0, 0, 100), [2]);
  t.same(found(0, 0, 0, 100, 100), [3, 4]);
  t.same(found(100, 100, 0, 0), [0, 1]);
  t.same(found(0, 50, 100), [0], 'it is far away from both others');
  t.same(found(10, 100, 100), [0]);
});

t.test('the hour stays an hour, and small, however long the page is open', async (t) => {
  const hour = new Hour();
  hour.begin({ at: [1, 2], values: [[7], [null]], marks: [] });
  t.equal(hour.last('requests'), null);
  t.equal(hour.column('requests')[0], 7);
  for (let at = 10; at < 12_000; at++) hour.add({ at, values: [at] } as unknown as PageNow);
  t.ok(hour.at.length < 1_000, `${hour.at.length} points`);
  t.equal(hour.column('requests').length, hour.at.length);
  t.same(hour.at, hour.column('requests'), 'each with its value');
  t.ok((hour.at[0] ?? 0) >= 12_000 - 3_600 - 300);
  t.ok(hour.at.filter((at) => at > 12_000 - 300).length >= 299, 'the last minutes have every second');
  const mark = (id: number, text = ''): PageMark => ({ id, at: id, kind: 'crash', text, details: [] });
  const gone = Array.from({ length: 500 }, (_none, i) => hour.mark(mark(i))?.id);
  t.same([gone[199], gone[200], gone[499]], [undefined, 0, 299], 'what has to go is told');
  t.equal(hour.marks.length, 200);
  hour.mark(mark(400, 'more is known of it'));
  t.equal(hour.marks.length, 200);
  t.equal(hour.marks.find(({ id }) => id === 400)?.text, 'more is known of it');
});

t.test('numbers as people read them', async (t) => {
  t.same([null, 0, 7, 7.25, 1234.5, 250_000].map(count), ['–', '0', '7', '7.3', '1235', '250 k']);
  t.same([null, 0.12, 45.6, 12_345].map(ms), ['–', '0.1 ms', '46 ms', '12.3 s']);
  t.same([null, 1024 ** 2, 3 * 1024 ** 3].map(bytes), ['–', '1 MiB', '3.0 GiB']);
  t.same([null, 0, 0.004, 0.25, 1].map(percent), ['–', '0 %', '0.4 %', '25 %', '100 %']);
  t.same([null, 5_000, 600_000, 36_000_000, 864_000_000].map(time), ['–', '5 s', '10 min', '10 h', '10 d']);
});

t.test('how a supervisor is, in words', async (t) => {
  const of = { state: 'running', size: 3, ready: 3, crashLoop: false, rollout: { state: 'none' } } as const;
  t.same(stateOf(of), ['Well: 3 of 3 workers are ready', 'state well']);
  for (const [more, expected] of [
    [{ ready: 2 }, ['Serving, not with all: 2 of 3 workers are ready', 'state warn']],
    [{ ready: 1 }, ['Serving, not with all: 1 of 3 workers is ready', 'state warn']],
    [{ ready: 0 }, ['Down: 0 of 3 workers are ready', 'state bad']],
    [{ crashLoop: true }, ['Workers crash again and again; 3 of 3 workers are ready', 'state bad']],
    [{ rollout: { state: 'running' }, ready: 4 }, ['Rolling out; 4 workers are ready for 3 slots', 'state warn']],
    [{ rollout: { state: 'rolledBack' } }, ['Well: 3 of 3 workers are ready', 'state well']],
    [{ state: 'starting', ready: 0 }, ['Starting: 0 of 3 workers are ready', 'state warn']],
    [{ state: 'stopping', ready: 1 }, ['Stopping: 1 worker is left', 'state warn']],
    [{ state: 'stopping', ready: 2 }, ['Stopping: 2 workers are left', 'state warn']],
    [{ size: 1, ready: 1 }, ['Well: 1 of 1 worker is ready', 'state well']],
    [
      { size: 1, ready: 2, rollout: { state: 'running' } },
      ['Rolling out; 2 workers are ready for 1 slot', 'state warn'],
    ],
  ] as const)
    t.same(stateOf({ ...of, ...more }), expected);
  const all = [standing(0, 0), standing(1, 0), standing(3, 0), standing(3, 1), standing(3, 2)];
  t.same(all, [
    'No supervisor is running',
    '1 is running and well',
    '3 are running, and all are well',
    '1 of 3 needs attention',
    '2 of 3 need attention',
  ]);
  t.same([share(1, 4), share(0, 0), share(null, 4), share(1, null), share(5, 4)], [0.25, 0, null, null, 1]);
});

t.test('of an hour there is drawn what is known, and a minute at least', async (t) => {
  t.equal(shownS(3_600, 1_000, 1_005), 60);
  t.equal(shownS(3_600, 1_000, 1_500), 500);
  t.equal(shownS(300, 1_000, 1_500), 300);
  t.equal(shownS(3_600, 1_000, 99_000), 3_600);
});

t.test('of a reason a table has the first line', async (t) => {
  const reason = 'a worker exited with code 1 while it served';
  t.equal(firstLine(`${reason}; the last it wrote:\nTypeError: x\n    at y`), reason);
  t.equal(firstLine(reason), reason);
});

t.test('two lines of a grid have two names', async (t) => {
  for (const [lines, expected] of [
    [[0, 0.05, 0.1, 0.15].map(AT_LINES.count), ['0', '0.05', '0.1', '0.15']],
    [[0, 0.1 + 0.2, 100_000, 125_500].map(AT_LINES.count), ['0', '0.3', '100 k', '125.5 k']],
    [[0.02, 2.5, 12_500].map(AT_LINES.ms), ['0.02 ms', '2.5 ms', '12.5 s']],
    [
      [128, 1024, 1280, 1536].map((mega) => AT_LINES.bytes(mega * 1024 ** 2)),
      ['128 MiB', '1 GiB', '1.25 GiB', '1.5 GiB'],
    ],
  ] as const)
    t.same(lines, expected);
});

t.test('what is of another day is told with its day', async (t) => {
  const at = Date.UTC(2026, 10, 27, 12) / 1000;
  t.not(dated(at), dated(at - 86_400));
  t.match(dated(at), /\d:\d\d:\d\d/);
});

t.test('colours of a terminal are no text', async (t) => {
  t.equal(withoutAnsi('\u001b[31mred\u001b[0m \u001b]0;title\u0007<b>'), 'red <b>');
});

t.test('a value that stands alone is found, to be drawn as a dot', async (t) => {
  t.same(single([null, 1, null, 2, 3, null, 0]), [1, 6]);
  t.same(single([]), []);
  t.same(single([5]), [0]);
});
