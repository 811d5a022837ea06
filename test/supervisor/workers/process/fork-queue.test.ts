import t from 'tap';
import { ForkQueue } from '../../../../src/supervisor/workers/process/fork-queue.js';

function queue() {
  const later: (() => void)[] = [];
  const begun: number[] = [];
  const forks = new ForkQueue((act) => later.push(act));
  const begin = (worker: number) => () => void begun.push(worker);
  return { forks, begun, begin, turn: () => later.splice(0).forEach((act) => void act()) };
}

t.test('each worker is forked at once where none was there before', async (t) => {
  const { forks, begun, begin } = queue();
  forks.add(1, begin(1));
  forks.add(2, begin(2));
  t.same(begun, [1, 2]);
});

t.test('the first worker has its time before the others are forked, in their order', async (t) => {
  const { forks, begun, begin, turn } = queue();
  forks.letFirst(begin(1));
  forks.add(2, begin(2));
  forks.add(3, begin(3));
  t.same(begun, [1]);
  turn();
  t.same(begun, [1, 2, 3]);
  forks.add(4, begin(4));
  t.same(begun, [1, 2, 3, 4], 'and from then on at once');
});

t.test('a worker that something is asked of is forked before its turn, and once', async (t) => {
  const { forks, begun, begin, turn } = queue();
  forks.letFirst(begin(1));
  forks.add(2, begin(2));
  forks.add(3, begin(3));
  forks.beginNow(3);
  forks.beginNow(1);
  t.same(begun, [1, 3]);
  forks.beginNow(3);
  turn();
  t.same(begun, [1, 3, 2]);
});

t.test('the others are forked as soon as the first listens or has ended, and not once more', async (t) => {
  const { forks, begun, begin, turn } = queue();
  forks.letFirst(begin(1));
  forks.add(2, begin(2));
  forks.goOn();
  t.same(begun, [1, 2]);
  forks.add(3, begin(3));
  turn();
  forks.goOn();
  t.same(begun, [1, 2, 3]);
});

t.test('by itself it does not wait long for a first that does not listen', async (t) => {
  const forks = new ForkQueue();
  const order: string[] = [];
  const forked = new Promise<void>((resolve) => {
    forks.letFirst(() => setImmediate(() => order.push('answered')));
    forks.add(2, () => {
      order.push('forked');
      resolve();
    });
  });
  await forked;
  t.same(order, ['answered', 'forked']);
});
