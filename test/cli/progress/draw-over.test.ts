import t from 'tap';
import { drawOver } from '../../../src/cli/progress/draw-over.js';
import { Screen } from '../../e2e/support/screen.js';

/** As a terminal's driver passes a newline on. */
const onTerminal = (text: string) => text.replaceAll('\n', '\r\n');

t.test('what is there is the new picture alone, whatever was drawn before', async (t) => {
  const screen = new Screen(20, 10);
  screen.write(onTerminal('$ holdfast reload\n'));
  let before: readonly string[] = [];
  for (const lines of [
    ['one', 'two'],
    ['one', 'two', 'three'],
    ['one', 'more', 'three'],
    ['one'],
    ['one', '', '\u001b[32mthree\u001b[39m', 'four', 'five', 'six'],
    ['a line that is long', 'x'],
    ['short'],
  ]) {
    screen.write(onTerminal(drawOver(before, lines, 20)));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are not to be seen
    const plain = lines.map((line) => line.replace(/\u001b\[\d+m/g, ''));
    t.same(screen.lines, ['$ holdfast reload', ...plain, ''], lines.join('|'));
    before = lines;
  }
  screen.write('shop: reloaded');
  t.same(screen.lines, ['$ holdfast reload', 'short', 'shop: reloaded']);
  t.same(screen.unknown, []);
});

t.test('at the lower end of the screen it scrolls once, and is drawn over all the same', async (t) => {
  const screen = new Screen(20, 5);
  screen.write(onTerminal('$ 1\n$ 2\n$ 3\n$ 4\n'));
  screen.write(onTerminal(drawOver([], ['a', 'b', 'c'], 20)));
  t.same(screen.lines, ['$ 4', 'a', 'b', 'c', '']);
  screen.write(onTerminal(drawOver(['a', 'b', 'c'], ['d', 'e', 'f'], 20)));
  t.same(screen.lines, ['$ 4', 'd', 'e', 'f', '']);
});

t.test('a terminal that has become narrower has broken the lines anew', async (t) => {
  t.match(drawOver(['x'.repeat(30), '\u001b[1mshort\u001b[22m'], ['y'], 10), '\u001b[4A');
  t.match(drawOver(['', 'x'], ['y'], 10), '\u001b[2A');
});
