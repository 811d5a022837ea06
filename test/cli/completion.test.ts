import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { COMMANDS } from '../../src/cli/catalog.js';
import { makeFolder, open } from '../control/support/fake-target.js';
import { holdfast } from './support/command-line.js';

const script = async (shell: string) => (await holdfast(['completion', shell])).stdout;

/** What bash offers for the last of these words; `shop` and `api` run. */
async function offered(t: Test, ...words: string[]): Promise<string[]> {
  const folder = t.testdir({ 'app.js': '', 'script.bash': await script('bash'), bin: { holdfast: '' } });
  const program = path.join(folder, 'bin/holdfast');
  writeFileSync(program, '#!/bin/sh\n[ "$*" = "completion names" ] && printf "shop\\napi\\n"\n');
  chmodSync(program, 0o755);
  const typed = ['holdfast', ...words].map((word) => `'${word}'`).join(' ');
  const ask = `. ./script.bash; COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { PATH: `${path.join(folder, 'bin')}:${process.env.PATH}` };
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', ask], { cwd: folder, env, encoding: 'utf8' });
  t.equal(status, 0, stderr);
  t.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

t.test('bash completes commands, flags, their values and names', async (t) => {
  const words = await offered(t, '');
  for (const { name, aliases } of COMMANDS) for (const word of [name, ...aliases]) t.ok(words.includes(word), word);
  t.same(await offered(t, 'rel'), ['reload']);
  t.same(await offered(t, 'reload', ''), ['shop', 'api']);
  t.same(await offered(t, 'reload', 'shop', 'a'), ['api']);
  t.same(await offered(t, 'ls', '--name', 's'), ['shop']);
  t.same(await offered(t, 'reload', '--ca'), ['--canary']);
  t.same(await offered(t, 'start', 'app.js', '--listen-mode', ''), ['auto', 'reuseport', 'reuseaddr']);
  t.same(await offered(t, 'start', 'ap'), ['app.js']);
  t.same(await offered(t, 'start', 'app.js', '--surge', ''), [], 'a value that nobody knows');
  t.ok((await offered(t, 'start', '--')).includes('--ready-timeout'));
  t.same(await offered(t, 'help', 'sig'), ['signals']);
  t.same(await offered(t, 'doctor', ''), []);
});

t.test('zsh and fish get scripts that their shells can read', async (t) => {
  for (const shell of ['zsh', 'fish']) {
    const text = await script(shell);
    for (const { name, aliases } of COMMANDS) {
      for (const word of [name, ...aliases]) t.match(text, new RegExp(`\\b${word}\\b`), `${shell}: ${word}`);
    }
    t.match(text, /holdfast completion names/);
    t.match(text, /ready-timeout/);
    const { status, stderr, error } = spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' });
    if (error === undefined) t.equal(status, 0, stderr);
    else t.comment(`${shell} is not installed: not checked by it`);
    t.equal((text.match(/(?<!\\)'/g) ?? []).length % 2, 0, 'every quote is closed');
  }
});

t.test('names are those of supervisors that run, and nothing where none can be asked', async (t) => {
  const { dir: runtimeDir, server } = await open(t);
  await open(t, 'api', runtimeDir);
  t.match(await holdfast(['completion', 'names'], { runtimeDir }), { code: 0, stdout: 'api\nshop\n' });
  await server.close();
  t.match(await holdfast(['completion', 'names'], { runtimeDir }), { code: 0, stdout: 'api\n' });
  const empty = makeFolder(t);
  chmodSync(empty, 0o777);
  t.match(await holdfast(['completion', 'names'], { runtimeDir: empty }), { code: 0, stdout: '', stderr: '' });
});

t.test('a shell that is not known is refused', async (t) => {
  t.match(await holdfast(['completion', 'fishh']), {
    code: 2,
    stderr: /that shell is not known\n {2}did you mean fish\?/,
  });
  t.match(await holdfast(['completion']), { code: 2, stderr: /<shell> is missing/ });
});

t.test('help has topics', async (t) => {
  t.match(await holdfast(['help', 'signals']), { code: 0, stdout: /^Signals to the supervisor:\n {2}HUP/ });
  t.match(await holdfast(['help', 'exit', 'codes']), { code: 0, stdout: /^Exit codes/ });
  t.match(await holdfast(['help', 'config']), { code: 0, stdout: /HOLDFAST_READY_TIMEOUT/ });
  t.match(await holdfast(['help', 'ready']), { code: 0, stdout: /process\.send\('ready'\)/ });
  const reload = await holdfast(['help', 'reload']);
  t.match(reload.stdout, /^Usage: holdfast reload/, 'of a command that is a topic too: both');
  t.match(reload.stdout, /What a reload does:/);
  t.match((await holdfast(['help'])).stdout, /Topics: holdfast help signals, /);
  t.match(await holdfast(['help', 'nothing']), { code: 2 });
});
