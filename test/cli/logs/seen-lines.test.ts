import t from 'tap';
import { SeenLines } from '../../../src/cli/logs/seen-lines.js';

t.test('what is remembered and has been seen is not shown again', async (t) => {
  const seen = new SeenLines();
  t.equal(seen.isEmpty, true);
  t.same(seen.newIn(['a']), ['a'], 'where nothing was seen, all is new');
  seen.add(['a', 'b', 'b', 'c']);
  t.equal(seen.isEmpty, false);
  t.same(seen.newIn(['a', 'b', 'b', 'c', 'd', 'e']), ['d', 'e']);
  t.same(seen.newIn(['c', 'd']), ['d'], 'it remembers less than was seen');
  t.same(seen.newIn(['0', 'a', 'b', 'b', 'c']), [], 'and more');
  t.same(seen.newIn(['x', 'c', 'y']), ['x', 'c', 'y'], 'the same line of another supervisor');
  t.same(seen.newIn(['d', 'e']), ['d', 'e'], 'nothing in common');
  t.same(seen.newIn([]), []);
});

t.test('the same line may come again and again', async (t) => {
  const seen = new SeenLines();
  seen.add(['x', 'tick', 'tick']);
  t.same(seen.newIn(['x', 'tick', 'tick', 'tick']), ['tick']);
  t.same(seen.newIn(['tick', 'tick', 'tick']), ['tick'], 'two of them have come after an x');
  seen.add(['tick']);
  t.same(seen.newIn(['tick', 'tick']), [], 'what cannot be told apart counts as seen');
});

t.test('the note of lost lines is nowhere remembered, and only so many lines are kept', async (t) => {
  const seen = new SeenLines();
  seen.add(['a', '{"msg":"log lines dropped"}']);
  t.same(seen.newIn(['a', 'b']), ['b']);
  const many = Array.from({ length: 10_000 }, (_, i) => `line ${i}`);
  for (const line of many) seen.add([line]);
  t.same(seen.newIn([...many, 'new']), ['new']);
});
