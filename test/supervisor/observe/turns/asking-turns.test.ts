import t from 'tap';
import { AskingTurns } from '../../../../src/supervisor/observe/turns/asking-turns.js';

const workers = (count: number) => Array.from({ length: count }, (_none, i) => i + 1);

t.test('a few workers are asked each second', async (t) => {
  const turns = new AskingTurns(2);
  t.equal(turns.seconds(8), 1);
  for (let second = 0; second < 3; second++) t.same([...turns.choose(workers(8))], workers(8));
});

t.test(
  'many workers on few processors are asked by turns, as many in each second, and nobody is forgotten',
  async (t) => {
    const turns = new AskingTurns(2);
    const all = workers(40);
    t.equal(turns.seconds(40), 5);
    const asked = Array.from({ length: 10 }, () => [...turns.choose(all)]);
    for (const chosen of asked) t.equal(chosen.length, 8);
    for (const round of [asked.slice(0, 5), asked.slice(5), asked.slice(3, 8)]) {
      t.same(
        round.flat().sort((a, b) => a - b),
        all,
      );
    }
  },
);

t.test('who is new comes first, and who has gone is forgotten', async (t) => {
  const turns = new AskingTurns(1);
  for (let second = 0; second < 4; second++) turns.choose(workers(8));
  t.ok(turns.choose([...workers(7), 99]).has(99));
  t.ok(turns.choose([...workers(7), 99]).has(99), 'once more at once: two answers are a rate');
  t.notOk(turns.choose([...workers(7), 99]).has(99));
  turns.gone(99);
  t.ok(turns.choose([...workers(7), 99]).has(99), 'the number of one that has gone is that of nobody');
});
