import t from 'tap';
import { HISTORY_BYTES, HISTORY_LINES, History } from '../../src/logs/history.js';

t.test('the last lines are kept, oldest first', async (t) => {
  const history = new History();
  t.same(history.last(10), []);
  for (let n = 0; n < 500; n += 1) history.add(`line ${n} ☃`);
  t.same(history.last(2), ['line 498 ☃', 'line 499 ☃']);
  t.same(history.last(0), []);
  t.equal(history.last(1_000).length, 500);
  t.same(
    history.last(2, (line) => line.includes('7 ')),
    ['line 487 ☃', 'line 497 ☃'],
  );
});

t.test('it is bounded in lines', async (t) => {
  const history = new History();
  for (let n = 0; n < 10_000; n += 1) history.add(String(n));
  const kept = history.last(10_000);
  t.ok(kept.length <= HISTORY_LINES && kept.length > 0);
  t.equal(kept.at(-1), '9999');
  t.equal(Number(kept[0]), 10_000 - kept.length);
});

t.test('it is bounded in bytes, by long lines too', async (t) => {
  const history = new History();
  for (let n = 0; n < 200; n += 1) history.add(`${n} ${'é'.repeat(n % 3 === 0 ? 30_000 : 100)}`);
  const kept = history.last(1_000);
  const bytes = kept.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  t.ok(bytes <= HISTORY_BYTES && bytes > HISTORY_BYTES / 2, `${bytes} bytes`);
  t.match(kept.at(-1), /^199 /);
  history.add('x'.repeat(HISTORY_BYTES));
  t.match(history.last(1)[0], /^199 /, 'one that is larger than all is not kept');
});
