import fc from 'fast-check';
import t from 'tap';
import { Entries } from '../../../src/logs/lines/entries.js';

const line = (text: string, continued = false) => ({ text, continued });

/** Every line at the same time. */
function entriesOf(texts: readonly string[]): string[] {
  const entries = new Entries();
  return [...texts.flatMap((text) => entries.add(line(text), 0)), ...entries.flush()].map(({ text }) => text);
}

t.test('a stack with its fields and its cause is one entry', async (t) => {
  const error = [
    'TypeError: no',
    '    at one (file.js:1:2) {',
    "  code: 'NO',",
    '  [cause]: Error: before',
    '      at two (file.js:3:4)',
    '}',
  ];
  t.same(entriesOf(['before', ...error, 'after', 'again']), ['before', error.join('\n'), 'after', 'again']);
});

t.test('an uncaught error is one entry with the place in the source that Node shows before it', async (t) => {
  const error = ['/srv/app.js:1', "  throw new Error('no')", '        ^', '', 'Error: no', '    at app.js:1:9', ''];
  t.same(entriesOf([...error, 'Node.js v20.20.2']), [error.join('\n'), 'Node.js v20.20.2']);
});

t.test('what belongs together is bounded in lines and in length', async (t) => {
  const entries = entriesOf(['Error', ...Array.from({ length: 1_000 }, (_, n) => `    at ${n}`)]);
  t.same(
    entries.map((entry) => entry.split('\n').length),
    [256, 256, 256, 233],
  );
  const long = entriesOf(['Error', ...Array.from({ length: 10 }, () => ` ${'x'.repeat(10_000)}`)]);
  t.ok(long.length > 2 && long.every((entry) => entry.length < 33_000));
});

t.test('an entry waits for its next line 20 ms, and 200 ms for all of them', async (t) => {
  const entries = new Entries();
  t.equal(entries.dueAt, null);
  t.same(entries.add(line('Error'), 0), []);
  t.equal(entries.dueAt, 20);
  for (let now = 15; now <= 195; now += 15) entries.add(line('    at'), now);
  t.equal(entries.dueAt, 200);
  t.same(
    entries.add(line('    at last'), 210).map(({ text }) => text.split('\n').length),
    [14],
  );
  t.same(entries.flush(), [line('    at last')]);
  t.same([entries.flush(), entries.dueAt], [[], null]);
});

t.test('the pieces of a line that was cut stay pieces', async (t) => {
  const entries = new Entries();
  entries.add(line('before'), 0);
  t.same(entries.add(line('x'.repeat(9), true), 0), [line('before'), line('x'.repeat(9), true)]);
  t.same(entries.add(line('  rest'), 0), [line('  rest')]);
  t.same(entries.add(line('  next'), 0), []);
});

t.test('no line is lost, double, or out of order', async () => {
  const text = fc.constantFrom('Error', '    at x', '', '}', '   ^', 'plain', '\tx');
  const event = fc.record({ text, pause: fc.constantFrom(0, 5, 30, 150) });
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const entries = new Entries();
      let now = 0;
      const out: string[] = [];
      for (const { text, pause } of events) {
        now += pause;
        if (entries.dueAt !== null && entries.dueAt <= now) out.push(...entries.flush().map(({ text }) => text));
        out.push(...entries.add(line(text), now).map(({ text }) => text));
      }
      out.push(...entries.flush().map(({ text }) => text));
      return out.join('\n') === events.map(({ text }) => text).join('\n');
    }),
  );
});
