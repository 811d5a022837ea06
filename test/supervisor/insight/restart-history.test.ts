import t from 'tap';
import type { State } from '../../../src/core/state/types.js';
import { RestartHistory } from '../../../src/supervisor/insight/restart-history.js';

const slot = (number: number, restarts: number, recycled = 0, reason: string | null = null) =>
  ({ slot: number, restarts, recycled, reason }) as State['slots'][number];
const rollout = (state: State['rollout']['state'], to: number, reason: string | null = null) =>
  ({ state, to, reason }) as State['rollout'];

t.test('notes each restart with its time and reason, the newest last', async (t) => {
  let now = 1_000;
  const history = new RestartHistory(() => now);
  const review = (slots: State['slots'], of = rollout('none', 1)) => history.review({ slots, rollout: of } as State);
  review([slot(0, 0), slot(1, 0)]);
  review([slot(0, 0), slot(1, 1, 0, 'boom')]);
  now = 2_000;
  review([slot(0, 0, 1, 'maxAge'), slot(1, 1, 0, 'boom')]);
  review([slot(0, 0, 1, 'maxAge'), slot(1, 1, 0, 'boom')]);
  t.same(history.records, [
    { atMs: 1_000, what: 'crashed', slot: 1, reason: 'boom' },
    { atMs: 2_000, what: 'recycled', slot: 0, reason: 'maxAge' },
  ]);
  review([slot(0, 0, 1)]);
  review([slot(0, 0, 1), slot(1, 1, 0, 'again')]);
  t.equal(history.records.length, 3, 'a slot that went and came back starts over');
});

t.test('notes how each rollout ended', async (t) => {
  const history = new RestartHistory(() => 5);
  const review = (of: State['rollout']) => history.review({ slots: [], rollout: of } as unknown as State);
  review(rollout('none', 1));
  review(rollout('running', 2));
  review(rollout('rollingBack', 2, 'it crashed'));
  review(rollout('rolledBack', 2, 'it crashed'));
  review(rollout('rolledBack', 2, 'it crashed'));
  review(rollout('running', 3));
  review(rollout('done', 3));
  // One that is over between two looks.
  review(rollout('done', 4));
  t.same(
    history.records.map(({ what, reason }) => `${what} ${reason}`),
    ['rolledBack it crashed', 'reloaded generation 3', 'reloaded generation 4'],
  );
});

t.test('keeps no more than the last 64', async (t) => {
  let now = 0;
  const history = new RestartHistory(() => now);
  for (; now < 100; now++) {
    history.review({ slots: [slot(0, now + 1, 0, `${now}`)], rollout: rollout('none', 1) } as State);
  }
  t.equal(history.records.length, 64);
  t.match(history.records.at(-1), { atMs: 99, reason: '99' });
});
