import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { COMMANDS } from '../../../src/cli/command-line/catalog.js';
import { makeFolder, open } from '../../control/support/fake-target.js';
import { holdfast } from '../support/command-line.js';

const script = async (shell: string) => (await holdfast(['completion', shell])).stdout;

/** A folder with a script, and a program that says that `shop` and `api` run. */
function surroundings(t: Test, text: string): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = t.testdir({ 'app.js': '', script: text, bin: { holdfast: '' } });
  const program = path.join(folder, 'bin/holdfast');
  writeFileSync(program, '#!/bin/sh\n[ "$*" = "completion names" ] && printf "shop\\napi\\n"\n');
  chmodSync(program, 0o755);
  return { folder, env: { PATH: `${path.join(folder, 'bin')}:${process.env.PATH}`, HOME: folder } };
}

/** What bash offers for the last of these words. */
async function offered(t: Test, ...words: string[]): Promise<string[]> {
  const { folder, env } = surroundings(t, await script('bash'));
  const typed = ['holdfast', ...words].map((word) => `'${word}'`).join(' ');
  const ask = `. ./script; COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
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
  t.same(await offered(t, 'completion', ''), ['bash', 'zsh', 'fish']);
});

t.test('zsh and fish get scripts that their shells can read', async (t) => {
  for (const shell of ['zsh', 'fish']) {
    const text = await script(shell);
    for (const { name, aliases } of COMMANDS) {
      for (const word of [name, ...aliases]) t.match(text, new RegExp(`\\b${word}\\b`), `${shell}: ${word}`);
    }
    t.match(text, /holdfast completion names/);
    t.match(text, /ready-timeout/);
    const folder = t.testdir({ script: text });
    const { status, stderr, error } = spawnSync(shell, ['-n', path.join(folder, 'script')], { encoding: 'utf8' });
    if (error === undefined) t.equal(status, 0, stderr);
    else t.comment(`${shell} is not installed: not checked by it`);
    t.equal((text.match(/(?<!\\)'/g) ?? []).length % 2, 0, 'every quote is closed');
  }
});

t.test('fish completes', async (t) => {
  if (spawnSync('fish', ['-c', 'true']).error !== undefined) return t.comment('fish is not installed: not tried');
  const { folder, env } = surroundings(t, await script('fish'));
  const offers = (line: string) => {
    const ask = `source ./script; complete -C '${line}'`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', ask], { cwd: folder, env, encoding: 'utf8' });
    t.equal(stderr, '');
    return stdout.split('\n').flatMap((one) => one.split('\t')[0] || []);
  };
  t.same(offers('holdfast rel'), ['reload']);
  t.same(offers('holdfast reload s'), ['shop']);
  t.same(offers('holdfast reload --ca'), ['--canary']);
  t.same(offers('holdfast logs --level f'), ['fatal']);
  t.same(offers('holdfast start ap'), ['app.js']);
  t.same(offers('holdfast completion '), ['bash', 'fish', 'zsh']);
  t.same(offers('holdfast --v'), ['--version']);
});

t.test('zsh completes', async (t) => {
  if (spawnSync('zsh', ['-c', 'true']).error !== undefined) return t.comment('zsh is not installed: not tried');
  const { folder, env } = surroundings(t, await script('zsh'));
  // A shell of its own, on a terminal: what is typed, Tab, and what stands there then.
  // Its second shell says nothing of when it has answered: looked for until the test ends it.
  const until = (text: string) => `o=; while [[ $o != *${text}* ]] { zpty -r -t z l && o+=$l || sleep 0.02; }`;
  const ask = [
    ...['zmodload zsh/zpty', 'zpty z zsh -f -i'],
    `zpty -w z "PS1=; autoload -Uz compinit; compinit -u -D; source ./script; print loa''ded"`,
    ...[until('loaded'), 'zpty -w -n z "$1"$\'\\t\'', until('$2'), 'print found', 'zpty -d z'],
  ].join('\n');
  for (const [typed, then] of [
    ['holdfast reload s', 'holdfast reload shop'],
    ['holdfast reload --cana', '--canary'],
    ['holdfast logs --level fat', 'fatal'],
    ['holdfast start ap', 'app.js'],
    ['holdfast completion zs', ' zsh'],
    ['holdfast --ver', '--version'],
  ] as const) {
    const options = { cwd: folder, env, encoding: 'utf8', timeout: 30_000 } as const;
    const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', ask, 'ask', typed, then], options);
    t.equal(stdout, 'found\n', `${typed}: ${stderr}`);
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
    stderr: /that shell is not supported\n {2}did you mean fish\?/,
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
  t.match(await holdfast(['help', 'nothing']), { code: 2, stderr: /nor a topic\n {2}topics: signals, / });
  t.match(await holdfast(['help', 'sgnals']), { code: 2, stderr: /did you mean signals\?/ });
});
