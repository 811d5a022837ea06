import t from 'tap';
import { begin, type State, shownRows, update } from '../../../../src/cli/top/model/model.js';
import { statusOf } from '../../../control/support/fake-target.js';
import { after, keys, lookedAt, status, worker, workers } from '../support.js';

const press = (state: State, key: string) => update(state, { type: 'key', key }, 2_000);
const slots = (state: State) => shownRows(state).rows.map((row) => row.worker.slot);

t.test('Ctrl-C quits from everywhere, q but from where one types or is asked', async (t) => {
  const state = lookedAt(3);
  for (const at of [
    state,
    keys(state, '?'),
    keys(state, 'r'),
    keys(state, '/'),
    keys(state, 'ENTER'),
    begin(null, 0),
  ]) {
    t.same(press(at, 'CTRL_C').effects, [{ do: 'quit' }]);
  }
  t.same(press(state, 'q').effects, [{ do: 'quit' }]);
  t.same(press(keys(state, 'ENTER'), 'q').effects, [{ do: 'quit' }]);
  t.match(press(keys(state, '/'), 'q'), { effects: [], state: { typed: 'q' } });
  t.match(press(keys(state, 'r'), 'q'), { effects: [], state: { question: null, action: null } });
  t.match(press(keys(state, '?'), 'q'), { effects: [], state: { help: false } });
});

t.test('nothing is changed without a yes', async (t) => {
  const state = lookedAt(4);
  for (const [key, question] of [
    ['r', { verb: 'reload' }],
    ['+', { verb: 'scale', to: 5 }],
    ['-', { verb: 'scale', to: 3 }],
  ] as const) {
    const asked = press(state, key);
    t.same(asked.effects, []);
    t.same(asked.state.question, question);
    for (const no of ['n', 'ENTER', 'ESCAPE', ' ', 'r']) {
      t.match(press(asked.state, no), { effects: [], state: { question: null, action: null } }, `${key} ${no}`);
    }
  }
  t.same(press(keys(state, 'r'), 'y').effects, [{ do: 'reload' }]);
  t.same(press(keys(state, '+', '+', '+', '-'), 'Y').effects, [{ do: 'scale', to: 6 }]);
  t.same(press(keys(state, ...'-----'), 'y').effects, [{ do: 'scale', to: 1 }], 'one is the least');
});

t.test('while something goes on, or nobody is there, nothing more is asked for', async (t) => {
  const busy = keys(lookedAt(2), 'r', 'y');
  t.match(busy.action, { verb: 'reload', result: null });
  t.equal(keys(busy, 'r').question, null);
  const step = after(busy, [{ type: 'step', text: 'worker ready' }]);
  t.equal(step.action?.step, 'worker ready');
  const done = after(step, [{ type: 'result', ok: true, text: 'shop: reloaded' }], 5_000);
  t.match(done.action?.result, { ok: true, text: 'shop: reloaded' });
  t.not(keys(done, 'r').question, null);
  t.not(update(done, { type: 'tick' }, 19_000).state.action, null);
  t.equal(update(done, { type: 'tick' }, 21_000).state.action, null, 'a result goes after a while');
  const gone = after(lookedAt(2), [{ type: 'silent', gone: true }]);
  t.equal(keys(gone, 'r').question, null);
  t.equal(keys(begin('shop', 0), '+').question, null, 'nothing is known yet');
  t.equal(after(keys(lookedAt(2), 'r'), [{ type: 'silent', gone: false }]).question, null);
});

t.test('the supervisor goes and comes back', async (t) => {
  const gone = after(lookedAt(2), [{ type: 'silent', gone: true }], 7_000);
  t.same(gone.link, { state: 'gone', sinceMs: 7_000 });
  t.same(after(gone, [{ type: 'silent', gone: true }], 9_000).link, { state: 'gone', sinceMs: 7_000 });
  const back = after(gone, [
    { type: 'status', status: status(workers(3), { pid: 1, uptimeMs: 10 }) },
    { type: 'logsBegan' },
  ]);
  t.equal(back.link.state, 'up');
  t.equal(back.history.status?.size, 3);
  t.same(back.logs, []);
});

t.test('one chooses, and stays with a slot when its worker is replaced', async (t) => {
  const state = keys(lookedAt(20), 'DOWN', 'j', 'PAGE_DOWN', 'UP');
  t.equal(shownRows(state).at, 11);
  t.equal(shownRows(keys(state, 'END')).at, 19);
  t.equal(shownRows(keys(state, 'HOME', 'k')).at, 0);
  const list = workers(20).map((one) => (one.slot === 11 ? worker(11, { id: 77, generation: 4 }) : one));
  const replaced = after(state, [{ type: 'status', status: status(list, { uptimeMs: 99_000 }) }]);
  t.equal(shownRows(replaced).rows[shownRows(replaced).at]?.worker.id, 77);
  const one = keys(replaced, 'ENTER');
  t.equal(one.page, 'worker');
  t.equal(keys(one, 'ESCAPE').page, 'workers');
});

t.test('sorting: the largest first, slots in their order; what is not known last', async (t) => {
  let state = lookedAt(4);
  t.same(slots(state), [0, 1, 2, 3]);
  t.same(slots(keys(state, 'o')), [3, 2, 1, 0]);
  while (state.sort !== 'requests') state = keys(state, 's');
  t.same(slots(state), [3, 2, 1, 0]);
  t.same(slots(keys(state, 'o')), [0, 1, 2, 3]);
  t.equal(keys(state, 's', 'S').sort, 'requests');
  const list = workers(3, (slot) => ({ cpuPercent: slot === 1 ? null : slot }));
  let cpu = after(begin('shop', 0), [{ type: 'status', status: status(list) }]);
  while (cpu.sort !== 'cpu') cpu = keys(cpu, 's');
  t.same(slots(cpu), [2, 0, 1]);
});

t.test('filtering', async (t) => {
  const list = workers(14, (slot) => ({ state: slot === 13 ? 'draining' : 'ready', generation: slot < 5 ? 3 : 4 }));
  const state = after(begin('shop', 0), [{ type: 'status', status: status(list) }]);
  t.same(slots(keys(state, '/', ...'slot 1')), [1], 'while it is typed; and slot 1 is not slot 12');
  t.same(slots(keys(state, '/', ...'DRAIN', 'ENTER')), [13]);
  t.equal(slots(keys(state, '/', ...'generation 4', 'ENTER')).length, 9);
  const none = keys(state, '/', ...'zzz', 'BACKSPACE', 'UP', 'CTRL_X', 'ENTER');
  t.equal(none.filter, 'zz');
  t.same(slots(none), []);
  t.equal(keys(none, 'ENTER').page, 'workers', 'nobody to look at');
  t.equal(keys(none, 'ESCAPE').filter, '');
  t.equal(keys(state, '/', 'a', 'ESCAPE').filter, '');
});

t.test('several supervisors: a list first, and back to it', async (t) => {
  const listed = ['api', 'shop', 'web'].map((name) => ({ name, status: name === 'web' ? null : statusOf(name) }));
  const list = after(begin(null, 0), [{ type: 'listed', listed }]);
  const chosen = press(keys(list, 'DOWN'), 'ENTER');
  t.same(chosen.effects, [{ do: 'watch', name: 'shop' }]);
  t.match(chosen.state, { page: 'workers', name: 'shop', link: { state: 'asking' } });
  const back = press(chosen.state, 'ESCAPE');
  t.same(back.effects, [{ do: 'list' }]);
  t.match(back.state, { page: 'list', name: null });
  t.equal(back.state.pickedName, 'shop');
  t.same(press(lookedAt(2), 'ESCAPE').effects, [], 'where there is none to go back to');
  t.same(press(begin(null, 0), 'ENTER').effects, [], 'nobody is there');
});

t.test('of the log only the last lines are kept', async (t) => {
  const lines = Array.from({ length: 700 }, (_none, at) => `{"msg":"${at}"}`);
  const state = after(lookedAt(1), [
    { type: 'logs', lines },
    { type: 'logs', lines: ['{"msg":"last"}'] },
  ]);
  t.equal(state.logs.length, 500);
  t.equal(state.logs.at(-1), '{"msg":"last"}');
});
