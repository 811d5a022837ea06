import t from 'tap';
import type { State } from '../../../src/core/state/types.js';
import type { SupervisorEvent } from '../../../src/protocol/events.js';
import type { PageMark } from '../../../src/protocol/page.js';
import { Marks } from '../../../src/supervisor/observe/marks.js';

function rig() {
  let now = 5_000;
  const told: PageMark[] = [];
  const marks = new Marks(
    () => now,
    (mark) => told.push(mark),
  );
  const counts = new Map<number, { restarts: number; recycled: number; reason: string | null }>();
  const review = (takeover: object | null = null) => {
    const slots = [...counts].map(([slot, count]) => ({ slot, ...count }));
    marks.review({ slots, takeover, rollout: { state: 'none', to: 1, reason: null } } as unknown as State);
  };
  const note = (slot: number, what: 'restarts' | 'recycled', reason: string | null) => {
    const known = counts.get(slot) ?? { restarts: 0, recycled: 0, reason: null };
    counts.set(slot, { ...known, [what]: known[what] + 1, reason });
    now += 1_000;
    review();
  };
  return { marks, told, note, counts, review, tell: (event: object) => marks.happened(event as SupervisorEvent) };
}

t.test('what happened is told with its reason; the last lines of a worker are details', async (t) => {
  const { marks, told, note, tell } = rig();
  tell({ type: 'rolloutBegun', from: 1, to: 2, canary: 0.1 });
  tell({
    type: 'rolloutTakenBack',
    from: 1,
    to: 2,
    reason: 'a worker exited with code 5; the last it wrote:\nbad\nend',
  });
  tell({ type: 'rolloutTakenBack', from: 1, to: 3, reason: null });
  tell({ type: 'sizeChanged', from: 2, to: 3 });
  tell({ type: 'workerReady', worker: 6, slot: 1 });
  note(1, 'restarts', 'a worker exited with code 3 while it served; the last it wrote:\nTypeError: x\n    at y');
  note(0, 'recycled', 'maxAge');
  note(0, 'restarts', null);
  t.same(marks.all, [
    { id: 1, at: 5, kind: 'reload', text: 'generation 2, a canary first', details: [] },
    {
      ...{ id: 2, at: 5, kind: 'rolledBack', details: ['bad', 'end'] },
      text: 'generation 2: a worker exited with code 5',
    },
    { id: 3, at: 5, kind: 'rolledBack', text: 'generation 3: no reason given', details: [] },
    { id: 4, at: 5, kind: 'scale', text: 'from 2 to 3 slots', details: [] },
    {
      ...{ id: 5, at: 6, kind: 'crash', details: ['TypeError: x', '    at y'] },
      text: 'slot 1: a worker exited with code 3 while it served',
    },
    { id: 6, at: 7, kind: 'recycled', text: 'slot 0: maxAge', details: [] },
    { id: 7, at: 8, kind: 'crash', text: 'slot 0: no reason given', details: [] },
  ]);
  t.same(told, marks.all);
});

t.test('marks of the supervisor before come first, and what it knew is no news', async (t) => {
  const before = rig();
  before.note(0, 'restarts', 'exit code 3; the last it wrote:\nTypeError: x');
  const { marks, told, note, counts, review, tell } = rig();
  const forged = [
    null,
    { id: 'x' },
    { ...before.marks.all[0], kind: 'other' },
    { ...before.marks.all[0], details: [7] },
  ];
  marks.restore([...forged, ...before.marks.all]);
  marks.restore('none');
  marks.goOnWith({ slots: [{ slot: 0, restarts: 1, recycled: 0, reason: 'exit code 3' }], rollout: null });
  t.same(marks.all, before.marks.all);
  counts.set(0, { restarts: 1, recycled: 0, reason: 'exit code 3' });
  review({});
  tell({ type: 'rolloutBegun', from: 1, to: 2, canary: null });
  review();
  t.same(marks.all, before.marks.all, 'nor is what is found with its workers');
  note(1, 'restarts', null);
  t.same(
    told.map(({ id, text }) => [id, text]),
    [[2, 'slot 1: no reason given']],
  );
  t.equal(marks.all.length, 2);
});

t.test('where a worker hung is told of the crash that it was taken for', async (t) => {
  const { marks, told, note } = rig();
  marks.hangs(1, ['nobody knows of it']);
  note(1, 'restarts', 'the event loop of a worker hung: no sign of life for 10 s');
  note(0, 'restarts', 'another one');
  note(1, 'recycled', 'maxAge');
  marks.hangs(1, ['spin (/app/server.js:12:5)', 'main (/app/server.js:3:1)']);
  t.match(told.at(-1), { id: 1, details: ['at spin (/app/server.js:12:5)', 'at main (/app/server.js:3:1)'] });
  t.equal(told.length, 4);
  t.equal(marks.all.length, 3);
  t.equal(marks.all[0], told.at(-1));
});

t.test('it stays small, however much happens and is said', async (t) => {
  const { marks, note } = rig();
  const lines = Array.from({ length: 100 }, (_none, i) => `${i} ${'x'.repeat(1_000)}`).join('\n');
  for (let i = 0; i < 500; i++) note(0, 'restarts', `${'y'.repeat(10_000)}\n${lines}`);
  t.equal(marks.all.length, 200);
  t.equal(marks.all.filter(({ details }) => details.length > 0).length, 50);
  t.equal(marks.all.at(-1)?.details.length, 20);
  t.match(marks.all.at(-1)?.details.at(-1), /^99 x/, 'the last of them say most');
  t.ok(JSON.stringify(marks.all).length < 600_000);
});
