import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Ends } from '../../../../src/supervisor/takeover/orphans/ends.js';

const MARK = { pid: 4_000_000, startedAt: '1' };

/** Far less than the rare looks are apart, and far more than so many of the others take. */
async function looksSoon(t: Test, seen: { readonly looks: number }, looks: number): Promise<void> {
  const until = performance.now() + 4_000;
  while (seen.looks < looks && performance.now() < until) await wait(20);
  t.ok(seen.looks >= looks, `looked at ${seen.looks} times`);
}

function watching(t: Test) {
  const seen = { looks: 0, isThere: true };
  const ends = new Ends(undefined, () => {
    seen.looks += 1;
    return seen.isThere;
  });
  t.teardown(() => ends.close());
  // Its own timer keeps nobody up.
  const keeper = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(keeper));
  return { ends, seen };
}

t.test('who is told of by nothing else is looked at again and again', async (t) => {
  const { ends, seen } = watching(t);
  const ended = new Promise((resolve) => ends.watch(1, MARK, resolve));
  await looksSoon(t, seen, 3);
  seen.isThere = false;
  t.equal(await ended, null, 'nobody can tell how');
  t.equal(ends.markOf(1), undefined);
});

t.test('who is told of is looked at once something has told', async (t) => {
  const { ends, seen } = watching(t);
  const ended = new Promise((resolve) => ends.watch(1, MARK, resolve, () => true));
  await wait(700);
  t.equal(seen.looks, 0);
  seen.isThere = false;
  ends.lookSoon();
  await ended;
  t.equal(seen.looks, 1);
});

t.test('a channel that ends before its process leaves one that is told of by nothing', async (t) => {
  const { ends, seen } = watching(t);
  let connected = true;
  const ended = new Promise((resolve) => ends.watch(1, MARK, resolve, () => connected));
  connected = false;
  ends.lookSoon();
  // Longer than it is looked often.
  await wait(1_500);
  seen.looks = 0;
  await looksSoon(t, seen, 2);
  seen.isThere = false;
  await ended;
});

t.test('one that is told of by nothing has all looked at', async (t) => {
  const { ends, seen } = watching(t);
  ends.watch(
    1,
    MARK,
    () => {},
    () => true,
  );
  const ended = new Promise((resolve) => ends.watch(2, { ...MARK, pid: MARK.pid + 1 }, resolve));
  await looksSoon(t, seen, 4);
  seen.isThere = false;
  await ended;
  t.equal(ends.markOf(1), undefined);
});

t.test('an end of which nothing has told after all is found', async (t) => {
  const { ends, seen } = watching(t);
  seen.isThere = false;
  t.equal(await new Promise((resolve) => ends.watch(1, MARK, resolve, () => true)), null);
});
