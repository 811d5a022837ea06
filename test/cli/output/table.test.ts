import t from 'tap';
import { formatTable, printable } from '../../../src/cli/output/table.js';

const columns = [
  { title: 'name', align: 'left', cell: (row: [string, number]) => ({ text: row[0] }) },
  { title: 'n', align: 'right', cell: (row: [string, number]) => ({ text: String(row[1]) }) },
] as const;

t.test('columns are as wide as their widest cell or title', async (t) => {
  t.equal(
    formatTable(columns, [
      ['a', 1],
      ['longer name', 2345],
    ]),
    'name            n\na               1\nlonger name  2345\n',
  );
});

t.test('no line ends in blanks', async (t) => {
  const left = [{ title: 'only', align: 'left', cell: (text: string) => ({ text }) }] as const;
  t.equal(formatTable(left, ['a', '', 'abcdef']), 'only\na\n\nabcdef\n');
});

t.test('colours take no room', async (t) => {
  const red = (text: string) => `<${text}>`;
  const painted = [
    { title: 'state', align: 'left', cell: (text: string) => ({ text, paint: red }) },
    { title: 'end', align: 'right', cell: (text: string) => ({ text, paint: red }) },
  ] as const;
  t.equal(
    formatTable(painted, ['a', 'ready'], { paintTitle: red }),
    '<state>    <end>\n<a>          <a>\n<ready>  <ready>\n',
  );
});

t.test('on a terminal, what matters least leaves first, and what may be cut is cut to what is left', async (t) => {
  const narrow = [
    { title: 'name', align: 'left', cell: ([name]: readonly string[]) => ({ text: name ?? '' }) },
    { title: 'mode', align: 'left', cell: ([, mode]: readonly string[]) => ({ text: mode ?? '' }), rank: 2 },
    { title: 'pid', align: 'right', cell: ([, , pid]: readonly string[]) => ({ text: pid ?? '' }), rank: 1 },
    { title: 'folder', align: 'left', cell: ([, , , folder]: readonly string[]) => ({ text: folder ?? '' }), least: 8 },
  ] as const;
  const row = ['shop', 'reuseport', '4711', '/srv/shop/releases/42'];
  const at = (room?: number) => formatTable(narrow, [row], { room }).split('\n')[1];
  const whole = 'shop  reuseport  4711  /srv/shop/releases/42';
  t.equal(at(), whole);
  t.equal(at(whole.length), whole);
  t.equal(at(whole.length - 1), 'shop  reuseport  4711  /srv/shop/releases/…');
  t.equal(at(30), 'shop  4711  /srv/shop/release…');
  t.equal(at(19), 'shop  /srv/shop/re…');
  t.equal(at(5), 'shop  /srv/sh…', 'what is left is wider');
});

t.test('what takes two cells, or none, is counted so', async (t) => {
  t.equal(
    formatTable(columns, [
      ['店', 1],
      ['e\u0301t', 22],
      ['ab', 3],
    ]),
    'name   n\n店     1\ne\u0301t    22\nab     3\n',
  );
});

t.test('a table without rows is its titles', async (t) => {
  t.equal(formatTable(columns, []), 'name  n\n');
});

t.test('what is printed cannot move the cursor or begin a line', async (t) => {
  t.equal(printable('a\u001b[2Jb\r\nc\u009bd\n'), 'a [2Jb c d');
});
