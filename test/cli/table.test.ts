import t from 'tap';
import { formatTable, printable } from '../../src/cli/table.js';

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
  t.equal(formatTable(painted, ['a', 'ready'], red), '<state>    <end>\n<a>          <a>\n<ready>  <ready>\n');
});

t.test('a table without rows is its titles', async (t) => {
  t.equal(formatTable(columns, []), 'name  n\n');
});

t.test('what is printed cannot move the cursor or begin a line', async (t) => {
  t.equal(printable('a\u001b[2Jb\r\nc\u009bd\n'), 'a [2Jb c d');
});
