import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { SIGNALS } from '../../src/cli/command-line/topics.js';
import { root } from './pages.js';

t.test('the reference pages, and the figures of the README, are what the code and the benchmarks say', async (t) => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/docs.js', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  t.equal(stderr, '');
  t.equal(status, 0);
});

t.test('the signals that are documented are those that the supervisor handles', async (t) => {
  const source = readFileSync(`${root}src/supervisor/process/signals.ts`, 'utf8');
  const handled = [...source.matchAll(/\bSIG(\w+)(?=[:,] )/g)].map(([, name = '']) => name);
  t.same(SIGNALS.flatMap(([names]) => names).sort(), [...new Set(handled)].sort());
});
