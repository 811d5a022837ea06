import t from 'tap';
import { logQueryText, readLogQuery } from '../../../src/control/options/log-query.js';

const read = (text: string) => readLogQuery(new URLSearchParams(text));

t.test('without a word it is to follow what comes', async (t) => {
  t.same(read(''), { lines: 0, follow: true });
});

t.test('what is written is what is read', async (t) => {
  const all = { lines: 20, follow: false, worker: 3, slot: 0, level: 'warn', sinceMs: 1_764_000_000_000 } as const;
  t.same(read(logQueryText(all)), all);
  const few = { lines: 0, follow: true };
  t.same(read(logQueryText(few)), few);
});

t.test('what makes no sense is refused, with what does', async (t) => {
  const faults = [
    ['lines=-1', /^lines must be/],
    ['lines=1000000', /^lines must be/],
    ['follow=1', /^follow must be true or false/],
    ['worker=x', /^worker must be a number/],
    ['slot=', /^slot must be a number/],
    ['level=loud', /^level must be one of trace, debug/],
    ['since=10m', /^since must be milliseconds/],
    ['grep=x', /^there is no grep/],
  ] as const;
  for (const [text, reason] of faults) t.match(read(text), reason, text);
});
