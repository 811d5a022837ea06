import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../', import.meta.url));
const readme = readFileSync(`${root}README.md`, 'utf8');
const scripts = (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> })
  .scripts;

t.test("README's set-up uses scripts that exist", async (t) => {
  for (const [, script = ''] of readme.matchAll(/npm (?:run )?(start|test|lint|types|bench(?::\w+)?)\b/g))
    t.ok(scripts[script], script);
  t.match(readme, /npm install && npm start/);
  t.match(readme, /npm install && npm test/);
});

t.test('README can be read in two minutes', async (t) => {
  const lines = readme.trimEnd().split('\n').length;
  t.ok(lines <= 150, `${lines} lines`);
});
