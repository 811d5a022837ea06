import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PROGRAMS } from './table.js';

const docs = readFileSync(fileURLToPath(new URL('../../docs/programs.md', import.meta.url)), 'utf8');

/** The rows of the table below a heading, as cells. */
function rows(heading: string): string[][] {
  const [, rest = ''] = docs.split(`\n## ${heading}\n`);
  const [section = ''] = rest.split('\n## ');
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
    .filter(([cell]) => cell !== '---');
}

t.test('docs/programs.md lists the programs that are tried, as they are started', async (t) => {
  const listed = rows('Programs that were tried').map(([name, ...cells]) => [name, ...cells.slice(0, 2)]);
  const tried = PROGRAMS.map(({ name, packages, start }) => {
    const [main = '', version = ''] = Object.entries(packages)[0] ?? [];
    return [name, `\`${main}@${version}\``, `\`holdfast start ${start}\``];
  });
  t.same(listed, tried);
});

t.test('versions are exact, and CI runs some of them', async (t) => {
  for (const { name, packages } of PROGRAMS) {
    for (const [word, version] of Object.entries(packages)) t.match(version, /^\d+\.\d+\.\d+$/, `${name}: ${word}`);
  }
  t.ok(PROGRAMS.some(({ inCi }) => inCi));
});
