import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { printable, terminalText } from '../src/terminal-text.js';
import { anyCharacter } from './support/characters.js';

/** Whatever a terminal would obey, but for newline and tab. */
const OBEYED = /(?![\t\n]|\p{Cc}\[[\d;:]{0,64}m)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;

t.test('what a terminal would obey is shown by its number', async (t) => {
  for (const [given, shown] of [
    ['plain, \u00e9, \u{1f600}\ttab\n', 'plain, \u00e9, \u{1f600}\ttab\n'],
    ['\u001b]0;title\u0007', '\\u001b]0;title\\u0007'],
    ['\u001b[2J\u001b[H', '\\u001b[2J\\u001b[H'],
    ['\u009b2J', '\\u009b2J'],
    ['progress 1%\rprogress 2%', 'progress 1%\\u000dprogress 2%'],
    ['of another system\r\n', 'of another system\n'],
    ['user\u202egpj.exe', 'user\\u202egpj.exe'],
    ['\u2066hidden\u2069', '\\u2066hidden\\u2069'],
    ['bell\u0007 null\u0000 del\u007f', 'bell\\u0007 null\\u0000 del\\u007f'],
  ] as const) {
    t.equal(terminalText(given), shown);
  }
});

t.test('colours pass, and end with their line', async (t) => {
  t.equal(terminalText('\u001b[1;31mred\u001b[0m'), '\u001b[1;31mred\u001b[0m');
  t.equal(terminalText('\u001b[8mhidden\nnext\n'), '\u001b[8mhidden\u001b[0m\nnext\n');
  t.equal(terminalText('\u001b[38:5:1mx'), '\u001b[38:5:1mx\u001b[0m');
});

t.test('JSON stays what it was', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.json({ stringUnit: anyCharacter }), async (json) => {
      assert.deepEqual(JSON.parse(terminalText(json)), JSON.parse(json));
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('whatever is given, nothing is left that a terminal would obey', async (t) => {
  await fc.assert(
    fc.property(
      fc.string({ unit: anyCharacter }),
      fc.string({ unit: fc.constantFrom('\u001b', '[', 'm', '3', ';', '\r', '\n', 'x') }),
      (one, other) => {
        const text = terminalText(one + other);
        if (OBEYED.test(text)) throw new Error(JSON.stringify(text));
        if (/\p{Cc}|\p{Bidi_Control}/u.test(printable(one + other))) throw new Error('printable');
      },
    ),
    { numRuns: 1_000 },
  );
  t.pass();
});
