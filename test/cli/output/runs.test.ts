import fc from 'fast-check';
import t from 'tap';
import { cellsOf, cut, safe } from '../../../src/cli/output/cells.js';
import { fit, run, sparkline, spread, textOf } from '../../../src/cli/output/runs.js';
import { anyCharacter } from '../../support/characters.js';

t.test('cells are counted as a terminal does', async (t) => {
  t.same(
    ['abc', '漢字', 'ｱ', '😀', 'é', '─▁…', 'カタ', '한'.normalize('NFC')].map((text) => cellsOf(text)),
    [3, 4, 1, 2, 1, 3, 4, 2],
  );
});

t.test('what is cut has an ellipsis, and half a character is left out', async (t) => {
  t.equal(cut('abcdef', 4), 'abc…');
  t.equal(cut('漢字漢字', 4), '漢…');
  t.equal(cut('漢字', 4), '漢字');
  t.equal(cut('abc', 0), '');
});

t.test('nothing that a terminal would obey, or draw over others, is left of a text', async (t) => {
  t.equal(safe('\u001b[31mred\u001b[0m \u0007\u009b2J\u202eb\r\nc\td'), 'red  2J b c d');
  t.equal(safe('e\u0301\u0301 a\u200db \u{1f44d}\u{1f3fd} \ue000'), 'é ab 👍 ');
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter, maxLength: 40 }), fc.integer({ min: 0, max: 50 }), (text, width) => {
      const shown = safe(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them is to be left
      return !/[\u0000-\u001f\u007f-\u009f]/.test(shown) && cellsOf(cut(shown, width)) <= width;
    }),
  );
});

t.test('a line is no wider than it may be', async (t) => {
  const line = fit([run('abc'), run('漢字', 'bad'), run('def')], 6);
  t.equal(textOf(line), 'abc漢…');
  t.equal(textOf(spread([run('left')], [run('right')], 20)), 'left           right');
  t.equal(textOf(spread([run('left')], [run('right')], 10)), 'left', 'the right one goes first');
});

t.test('bars', async (t) => {
  t.equal(sparkline([0, 1, 50, 100, 200], 5, 100), '▁▂▅██');
  t.equal(sparkline([null, 1], 4, 1), '   █');
  t.equal(sparkline([1, 2, 3], 2, 0), '▁▁', 'the newest, and nothing of nothing');
});
