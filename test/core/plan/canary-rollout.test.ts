import t from 'tap';
import { Driver } from '../driver.js';

/** Two workers, and a canary that has become ready. */
function withCanary(forMs = 60_000): { d: Driver; request: number } {
  const d = Driver.running({ size: 2 });
  const request = 1;
  d.send({ type: 'reload', request, policy: d.policy, size: null, canary: { share: 0.05, forMs } });
  d.bind(3);
  return { d, request };
}

const judged = (verdict: 'good' | 'worse' | 'undecided', final: boolean, generation = 2) =>
  ({ type: 'canaryJudged', generation, verdict, reason: verdict === 'good' ? null : 'its figures', final }) as const;

t.test('one worker of the new release is started beside all others, in a slot of its own', async (t) => {
  const { d } = withCanary();
  t.same(d.slots(), ['1 ready', '1 ready', '2 ready']);
  d.wait(59_000);
  t.same(d.slots(), ['1 ready', '1 ready', '2 ready']);
  t.same(d.done('judgeCanary'), []);
  d.wait(1_000);
  t.same(d.done('judgeCanary'), [{ do: 'judgeCanary', generation: 2 }]);
});

t.test('a good one leads to the rollout of all', async (t) => {
  const { d, request } = withCanary();
  d.wait(60_000);
  d.send(judged('good', true));
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
  t.match(d.answers.get(request), { ok: true });
});

t.test('one that is worse is rolled back at any time', async (t) => {
  const { d, request } = withCanary();
  d.send(judged('good', false));
  t.same(d.slots()[2], '2 ready', 'good so far is no reason to go on');
  d.send(judged('worse', false));
  d.settle();
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.match(d.answers.get(request), { ok: false, reason: 'the canary was worse: its figures' });
});

t.test('one that could not be compared goes on: it has neither crashed nor hung', async (t) => {
  const { d, request } = withCanary();
  d.wait(60_000);
  d.send(judged('undecided', true));
  d.settle();
  t.match(d.answers.get(request), { ok: true });
});

t.test('a crash of it rolls the release back', async (t) => {
  const { d, request } = withCanary();
  d.crash(3, 'boom');
  d.settle();
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.match(d.answers.get(request), { ok: false, reason: /boom/ });
});

t.test('what crashes meanwhile is replaced by what is proven', async (t) => {
  const { d } = withCanary();
  d.crash(1);
  d.wait(100);
  d.bindAll();
  t.same(d.slots(), ['1 ready', '1 ready', '2 ready']);
});

t.test('judgements of another canary, or of none, are ignored', async (t) => {
  const { d } = withCanary();
  d.send(judged('worse', true, 7));
  t.same(d.slots()[2], '2 ready');
  const plain = Driver.running({ size: 1 });
  plain.send(judged('worse', true));
  t.same(plain.slots(), ['1 ready']);
});

t.test('a newer reload takes its place, and answers for both', async (t) => {
  const { d, request } = withCanary();
  d.send({ type: 'reload', request: 2, policy: d.policy, size: null });
  d.settle();
  t.same(d.slots(), ['3 ready', '3 ready']);
  t.match([d.answers.get(request), d.answers.get(2)], [{ ok: true }, { ok: true }]);
});

t.test('an abort is answered also when what is gone back to does not come up', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload({ soakMs: 1_000 });
  d.crash(1);
  d.bind(2);
  d.send({ type: 'abort', request: 9 });
  t.equal(d.answers.get(9), undefined);
  d.crash(d.in(0), 'the old one is broken, too');
  t.match(d.answers.get(9), { ok: false, reason: /aborted by hand; generation 1, .* has a fault as well/ });
});
