import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { deferred, makeFolder, open } from '../control/support/fake-target.js';

/** The specifier of what a module imports, types aside. */
const IMPORT = /^(?:import|export) (?!type )(?:[^;'()]*? from )?'([^']+)';/gm;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The built program, as a user's shell starts it. */
function start(t: Test, args: readonly string[], runtimeDir: string): ChildProcessByStdio<null, Readable, Readable> {
  const { NODE_OPTIONS: _loaders, NODE_V8_COVERAGE: _coverage, ...env } = process.env;
  const child = spawn(process.execPath, [`${root}bin/holdfast.js`, ...args], {
    env: { ...env, HOLDFAST_RUNTIME_DIR: runtimeDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function outcome(child: ReturnType<typeof start>) {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, stdout, stderr };
}

t.test('the exit code of a command is that of the program', async (t) => {
  const { dir, target } = await open(t);
  t.match(await outcome(start(t, ['status', '--json'], dir)), { code: 0, stderr: '', stdout: /"name": "shop"/ });
  t.match(await outcome(start(t, ['scale', '-1'], dir)), { code: 0, stdout: 'shop: reloaded\n' });
  t.same(target.calls, ['scale -1']);
  t.match(await outcome(start(t, ['scale', 'abc'], dir)), { code: 2, stdout: '', stderr: /^holdfast: cannot scale/ });
  t.match(await outcome(start(t, ['status'], makeFolder(t))), { code: 3, stdout: '' });
  target.perform = async () => ({ ok: false, message: 'failed', reason: 'rolled back' });
  t.match(await outcome(start(t, ['reload'], dir)), { code: 1, stderr: /rolled back/ });
});

t.test('what cannot be written is a failure', { skip: existsSync('/dev/full') ? false : 'no /dev/full' }, async (t) => {
  const { dir } = await open(t);
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  for (const args of [
    ['status'],
    ['ls'],
    ['status', '--json'],

    ['completion', 'bash'],
    ['--help'],
    ['--version'],
  ]) {
    const child = spawn(process.execPath, [`${root}bin/holdfast.js`, ...args], {
      env: { ...process.env, HOLDFAST_RUNTIME_DIR: dir },
      stdio: ['ignore', full, 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')]);
    t.same(
      [code, stderr.replace(/ENOSPC.*/, 'ENOSPC')],
      [1, 'holdfast: cannot write all of the output: ENOSPC\n'],
      args.join(' '),
    );
  }
});

t.test('a reader that has gone is no error', async (t) => {
  const { dir, target } = await open(t);
  const status = start(t, ['status'], dir);
  status.stdout.destroy();
  t.match(await outcome(status), { code: 0, signal: null, stderr: '' });

  const following = deferred();
  target.onFollow = following.resolve;
  const logs = start(t, ['logs', '-f'], dir);
  const ended = outcome(logs);
  await following.promise;
  logs.stdout.destroy();
  await once(logs.stdout, 'close');
  target.log('{"msg":"anybody there?"}');
  t.match(await ended, { code: 0, signal: null, stderr: '' });
});

t.test('Ctrl-C ends logs with 0', async (t) => {
  const { dir, target } = await open(t);
  const following = deferred();
  target.onFollow = following.resolve;
  const logs = start(t, ['logs', '-f'], dir);
  const ended = outcome(logs);
  await following.promise;
  target.log('{"msg":"one"}');
  await once(logs.stdout, 'data');
  logs.kill('SIGINT');
  t.match(await ended, { code: 0, signal: null, stdout: '{"msg":"one"}\n', stderr: '' });
});

/** What these modules import from elsewhere, and what all that they import does. */
function importedBy(...files: readonly string[]): { own: number; outside: string[] } {
  const outside = new Set<string>();
  const seen = new Set<string>();
  const walk = (file: URL) => {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      if (specifier.startsWith('.')) walk(new URL(specifier.replace(/\.js$/, '.ts'), file));
      else outside.add(specifier);
    }
  };
  for (const file of files) walk(new URL(`../../src/${file}`, import.meta.url));
  return { own: seen.size, outside: [...outside] };
}

t.test('status loads nothing from outside but the parser of words', async (t) => {
  const { own, outside } = importedBy('cli/command-line/dispatch.ts', 'cli/commands/status.ts');
  t.ok(own > 10, `${own} modules of its own`);
  t.same(
    outside.filter((specifier) => !specifier.startsWith('node:')),
    ['yargs-parser'],
  );
});

t.test('a supervisor loads of Node what every start needs', async (t) => {
  const { own, outside } = importedBy('cli/start/start.ts', 'supervisor/process/run.ts');
  t.ok(own > 100, `${own} modules of its own`);
  const slow = ['node:crypto', 'node:zlib', 'node:http', 'node:https', 'node:http2', 'node:tls', 'node:readline'];
  t.same(
    outside.filter((specifier) => slow.includes(specifier)),
    [],
    'each takes milliseconds of a start, and memory for good',
  );
});
