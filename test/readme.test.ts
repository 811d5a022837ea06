import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { COMMANDS } from '../src/cli/catalog.js';
import { OPTIONS } from '../src/config/options.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (file: string) => readFileSync(`${root}${file}`, 'utf8');
const readme = read('README.md');
const scripts = (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> })
  .scripts;

/** The rows of the table before the first heading below the title, as cells. */
function table(file: string): string[][] {
  const rows =
    read(file)
      .split('\n## ')[0]
      ?.split('\n')
      .filter((line) => line.startsWith('| ')) ?? [];
  return rows.slice(1).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const words = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

t.test('The docs list the commands that there are', async (t) => {
  const listed = table('docs/commands.md').filter(([cell]) => !cell?.startsWith('-'));
  const names = listed.map(([cell]) => words(cell)[0]?.split(' ')[1]);
  t.same(names.sort(), COMMANDS.map(({ name }) => name).sort());
  for (const { name, aliases } of COMMANDS) {
    const row = listed.find(([cell]) => words(cell)[0]?.split(' ')[1] === name);
    t.same(words(row?.[0]).slice(1), aliases, `and the other names of ${name}`);
  }
});

t.test('The docs list the options that there are, with their defaults', async (t) => {
  const listed = new Map<string, string | undefined>();
  for (const [names, defaults = ''] of table('docs/configuration.md')) {
    const values = defaults.split(',').map((value) => value.trim().replaceAll('`', ''));
    for (const [i, name] of words(names).entries()) listed.set(name, values[i]);
  }
  t.same([...listed.keys()].sort(), [...OPTIONS.map(({ name }) => name), 'args'].sort());
  for (const { name, default: value } of OPTIONS) {
    if (value !== undefined) t.equal(listed.get(name), String(value), name);
  }
});

t.test("README's set-up uses scripts that exist", async (t) => {
  for (const [, script = ''] of readme.matchAll(/npm (?:run )?(start|test|lint|types|bench(?::\w+)?)\b/g))
    t.ok(scripts[script], script);
  t.match(readme, /npm install && npm start/);
  t.match(readme, /npm install && npm test/);
});
