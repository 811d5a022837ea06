import t from 'tap';
import { OpenConnections } from '../../../../src/supervisor/upkeep/steering/open-connections.js';
import { Driver } from '../../../core/driver.js';

/** Two workers, and how often they have been asked. */
function counted() {
  const { state } = Driver.running({ size: 2, steered: true });
  const asked: number[] = [];
  const open = new OpenConnections((worker) => asked.push(worker));
  return {
    state,
    open,
    /** Whether all are asked at that time, while connections come. */
    asksAt(now: number) {
      const before = asked.length;
      open.count(state, now);
      return asked.length > before;
    },
  };
}

t.test('while many connections stay, or leave, workers are asked often', async (t) => {
  const { open, asksAt } = counted();
  t.equal(asksAt(0), true);
  for (const worker of [1, 2]) open.told(worker, { accepted: 100, connections: 4 });
  t.equal(asksAt(499), false);
  t.equal(asksAt(500), true);
  open.told(1, { accepted: 150, connections: 54 });
  open.told(2, { accepted: 100, connections: 4 });
  t.equal(asksAt(1_000), true);
  for (const worker of [1, 2]) open.told(worker, { accepted: 150, connections: 54 });
  t.equal(asksAt(1_100), true, 'those that came have stayed');
  open.told(1, { accepted: 150, connections: 2 });
  open.told(2, { accepted: 150, connections: 54 });
  t.equal(asksAt(1_200), true);
  for (const worker of [1, 2]) open.told(worker, { accepted: 150, connections: 54 });
  t.equal(asksAt(1_300), true, 'those that were there have left');
});

t.test('the number of short connections goes up and down: that is no reason to ask more often', async (t) => {
  const { open, asksAt } = counted();
  t.equal(asksAt(0), true);
  for (const worker of [1, 2]) open.told(worker, { accepted: 100, connections: 4 });
  t.equal(asksAt(500), true);
  for (const worker of [1, 2]) open.told(worker, { accepted: 1_100, connections: 24 });
  t.equal(asksAt(1_000), true);
  for (const worker of [1, 2]) open.told(worker, { accepted: 2_100, connections: 4 });
  t.equal(asksAt(1_499), false);
  t.equal(asksAt(1_500), true);
});

t.test('what stays counts at once, what is chance counts in the long run', async (t) => {
  const { state, open } = counted();
  open.told(1, { accepted: 100, connections: 100 });
  t.equal(open.openIn(state, 0), 100);
  open.told(1, { accepted: 150, connections: 60 });
  t.equal(open.openIn(state, 0), 60, 'there are more than have come');
  open.told(1, { accepted: 1_150, connections: 20 });
  t.equal(open.openIn(state, 0), 50, 'most that came have gone');
  for (let i = 2; i < 20; i++) open.told(1, { accepted: 1_150 + 1_000 * i, connections: 20 });
  t.equal(Math.round(open.openIn(state, 0) ?? 0), 20);
  t.equal(open.openIn(state, 1), null, 'the other one has told nothing');
});

t.test('where more have left than short ones could be, the number counts at once', async (t) => {
  const { state, open } = counted();
  open.told(1, { accepted: 400, connections: 400 });
  open.told(1, { accepted: 410, connections: 3 });
  t.equal(open.openIn(state, 0), 3);
  open.told(1, { accepted: 2_000, connections: 30 });
  open.told(1, { accepted: 2_001, connections: 0 });
  t.equal(open.openIn(state, 0), 0, 'the load has ended');
});

t.test('what was chance before a pause does not outlive it', async (t) => {
  const { state, open } = counted();
  open.told(1, { accepted: 1_000, connections: 61 });
  open.told(1, { accepted: 2_000, connections: 1 });
  t.equal(open.openIn(state, 0), 46);
  open.told(1, { accepted: 2_002, connections: 1 });
  t.equal(open.openIn(state, 0), 1, 'two have come, and one is left');
});

t.test('tells whether there is news', async (t) => {
  const { open } = counted();
  t.equal(open.told(1, { accepted: 1, connections: 1 }), true);
  t.equal(open.told(1, { accepted: 1, connections: 1 }), false);
  t.equal(open.told(1, { accepted: 2, connections: 2 }), true);
});
