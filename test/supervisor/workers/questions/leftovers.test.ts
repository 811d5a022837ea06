import t from 'tap';
import type { Log } from '../../../../src/logs/logger.js';
import { Leftovers } from '../../../../src/supervisor/workers/questions/leftovers.js';

const IDENTITY = { worker: 3, slot: 0, generation: 2, name: 'x' };
const OPEN = { counts: { http1: 2 }, named: [{ kind: 'http1', ageMs: 5, remote: null, path: '/' }] } as never;

function make() {
  const told: object[] = [];
  const asked: number[] = [];
  const log = { logger: { warn: (fields: object) => told.push(fields) } } as unknown as Log;
  const leftovers = new Leftovers(log);
  const ask = (worker: number) => leftovers.afterwards(worker, 60_000, () => asked.push(worker));
  return { leftovers, told, asked, ask };
}

t.test('who does not drain, or has said that nothing is open, is asked to end at once', async (t) => {
  const { leftovers, asked, ask } = make();
  ask(1);
  leftovers.expect(2);
  leftovers.settle(2);
  ask(2);
  t.same(asked, [1, 2]);
});

t.test('who drains is asked when it has said what is left, and that counts', async (t) => {
  const { leftovers, told, asked, ask } = make();
  leftovers.expect(3);
  ask(3);
  t.same(asked, []);
  leftovers.told(IDENTITY, OPEN);
  t.same(asked, [3]);
  t.match(told, [{ worker: 3, slot: 0, generation: 2, counts: { http1: 2 } }]);
  t.same(leftovers.cutOff, { http1: 2 });
  leftovers.expect(4);
  ask(4);
  leftovers.told({ ...IDENTITY, worker: 4 }, { counts: {} as never, named: [] });
  t.same([asked, told.length], [[3, 4], 1], 'that it is nothing is no news');
});

t.test('one that hangs is asked after a while, and one that has gone is not', async (t) => {
  const leftovers = new Leftovers({} as Log);
  const asked: number[] = [];
  const gone = new Promise<void>((resolve) => {
    for (const worker of [5, 6, 7]) {
      leftovers.expect(worker);
      leftovers.afterwards(worker, 40, () => {
        asked.push(worker);
        if (worker === 7) resolve();
      });
    }
  });
  leftovers.forget(6);
  t.same(asked, []);
  await gone;
  t.same(asked, [5, 7]);
});
