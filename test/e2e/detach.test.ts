import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { apps, bin, makeRuntimeDir, type Outcome, plainly, run } from './support/holdfast.js';

const APP = path.join(apps, 'forger.cjs');

/** With a state folder of its own; whatever was started is ended by its PID. */
function makePlace(t: Test, more: Readonly<Record<string, string>> = {}) {
  const runtimeDir = makeRuntimeDir(t);
  const state = path.join(runtimeDir, 'state');
  const env = { XDG_STATE_HOME: state, PORT: '0', HOLDFAST_ORPHAN_TIMEOUT: '0', ...more };
  const pids = new Set<number>();
  t.teardown(() => {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  });
  const holdfast = (...words: string[]) => run(words, { runtimeDir, env });
  return {
    env: { ...env, HOLDFAST_RUNTIME_DIR: runtimeDir },
    log: path.join(state, 'holdfast/shop.log'),
    holdfast,
    start: async (...words: string[]): Promise<Outcome> => {
      const outcome = await holdfast('start', ...words);
      for (const [, pid] of outcome.stderr.matchAll(/PID (\d+)/g)) pids.add(Number(pid));
      return outcome;
    },
    async status(): Promise<SupervisorStatus> {
      const found = JSON.parse((await holdfast('status', '--json')).stdout) as SupervisorStatus;
      for (const { pid } of found.workers) if (pid !== null) pids.add(pid);
      return found;
    },
  };
}

/** Resolves when the folder has such files. */
async function filled(folder: string, fits: (names: readonly string[]) => boolean): Promise<void> {
  const watcher = watch(folder);
  try {
    while (!fits(readdirSync(folder))) await once(watcher, 'change');
  } finally {
    watcher.close();
  }
}

/** Resolves when the log has such a line. */
async function logged(file: string, text: RegExp): Promise<void> {
  const watcher = watch(path.dirname(file));
  try {
    while (!existsSync(file) || !text.test(readFileSync(file, 'utf8'))) await once(watcher, 'change');
  } finally {
    watcher.close();
  }
}

t.test('returns when it is ready; it goes on in a session of its own, its log in a file', async (t) => {
  const { start, status, holdfast, log } = makePlace(t);
  const { code, stdout, stderr } = await start(APP, '--detach', '--name', 'shop', '--trial', '0');
  t.equal(code, 0, stderr);
  t.equal(stdout, '');
  t.match(stderr, /^holdfast: shop runs with 1 worker, PID \d+\n/);
  t.match(stderr, `  log       ${log}\n`);
  const before = await status();
  t.equal(before.state, 'running');
  t.equal(before.pid, Number(/PID (\d+)/.exec(stderr)?.[1]));
  t.match(await holdfast('start', APP, '--detach', '--name', 'shop'), { code: 1, stderr: /shop/ }, 'the name is taken');

  const [, , , , group, session] = readFileSync(`/proc/${before.pid}/stat`, 'utf8')
    .replace(/\(.*\)/, '()')
    .split(' ');
  t.same([group, session], [String(before.pid), String(before.pid)]);
  const streams = [0, 1].map((fd) => statSync(`/proc/${before.pid}/fd/${fd}`).rdev);
  t.same(streams, [statSync('/dev/null').rdev, statSync('/dev/null').rdev]);
  const errors = statSync(`${log}.stderr`);
  t.equal(statSync(`/proc/${before.pid}/fd/2`).ino, errors.ino, 'what Node says at a crash is not lost');
  t.equal(errors.mode & 0o077, 0);
  t.equal(statSync(path.dirname(log)).mode & 0o077, 0, 'for its owner alone');
  t.notMatch(readFileSync(`/proc/${before.workers[0]?.pid}/environ`, 'utf8'), /HOLDFAST_DETACHED/);

  process.kill(before.pid, 'SIGHUP');
  await logged(log, /rollout done/);
  t.equal((await status()).generation, 2, 'a HUP is a reload: there is no terminal that could go');
  t.match(await holdfast('stop'), { code: 0, stdout: 'shop: stopped\n' });
  t.match(readFileSync(log, 'utf8'), /"supervisor stopped"/);
});

t.test('its log is rotated', async (t) => {
  const { start, holdfast, log } = makePlace(t);
  const cwd = t.testdir({
    'loud.cjs': `require('node:http').createServer().listen(0, '127.0.0.1', () => {
      for (let n = 0; n < 200; n++) console.log('loud '.repeat(50), n);
    });`,
  });
  const words = ['--name', 'shop', '--trial', '0', '--log-max-size', '8K', '--log-keep', '100'];
  t.equal((await start(path.join(cwd, 'loud.cjs'), '--detach', ...words)).code, 0);
  await filled(path.dirname(log), (names) => names.some((name) => /^shop\.log\.\d{4}-/.test(name)));
  const shown = await holdfast('logs', '--lines', '150', '--grep', 'loud');
  t.equal(shown.stdout.trimEnd().split('\n').length, 150, 'and logs finds its lines');
  t.equal((await holdfast('stop')).code, 0);
});

t.test('several applications of one file: each goes on by itself, with a log of its own', async (t) => {
  const { start, holdfast, log } = makePlace(t);
  const cwd = t.testdir({
    'ecosystem.config.cjs': `module.exports = { apps: [
      { name: 'shop', script: ${JSON.stringify(APP)}, exec_mode: 'cluster', max_memory_restart: '300M', vizion: false },
      { name: 'job', script: 'job.cjs' },
    ] };`,
    'job.cjs': 'setInterval(() => {}, 60_000);',
    'bad.cjs': "throw new Error('not today')",
    'holdfast.yaml':
      'trial: 0\napps:\n  - name: good\n    script: job.cjs\n    ready: running\n  - name: bad\n    script: bad.cjs\n',
  });
  const { code, stderr } = await start(path.join(cwd, 'ecosystem.config.cjs'), '--detach', '--cwd', cwd);
  t.equal(code, 0, stderr);
  for (const name of ['shop', 'job']) {
    t.match(stderr, new RegExp(`^holdfast: ${name} runs with 1 worker, PID \\d+$`, 'm'));
    t.match(stderr, `  log       ${path.join(path.dirname(log), `${name}.log`)}\n`);
  }
  t.equal(stderr.split("shop, from PM2's file").length, 2, 'what becomes of the keys is said once');
  const listed = JSON.parse((await holdfast('ls', '--json')).stdout) as SupervisorStatus[];
  t.same(
    listed.map(({ name, state }) => [name, state]),
    [
      ['job', 'running'],
      ['shop', 'running'],
    ],
  );
  t.match(await holdfast('stop', 'all'), { code: 0 });

  const failed = await start(path.join(cwd, 'holdfast.yaml'), '--detach');
  t.equal(failed.code, 1);
  t.match(failed.stderr, /cannot start .*bad\.cjs: [\s\S]*not today/);
  t.match(failed.stderr, /not all have started; good goes on, to stop: holdfast stop good\n$/);
  t.match(await holdfast('stop'), { code: 0, stdout: 'good: stopped\n' });
});

t.test('what keeps it from its start is told, with its exit code, and leaves nothing', async (t) => {
  const { start, holdfast, log } = makePlace(t);
  const cwd = t.testdir({ 'broken.cjs': "throw new Error('not today')" });
  const broken = await start(path.join(cwd, 'broken.cjs'), '--detach', '--name', 'shop');
  t.equal(broken.code, 1);
  t.match(broken.stderr, /^holdfast: cannot start .*broken\.cjs: [\s\S]*not today/);
  t.equal((await holdfast('status')).code, 3);
  t.match(readFileSync(log, 'utf8'), /not today/);
  t.match(await start('none.js', '--detach'), { code: 2, stderr: /cannot use the configuration/ });
  t.match(await start(APP, '--detach', '--surge', '0'), { code: 2, stderr: /--surge/ });
});

t.test('a log file that the owner names is used, and words of the application are left alone', async (t) => {
  const { start, holdfast, log, status } = makePlace(t);
  const own = path.join(t.testdir({}), 'own.log');
  const { code, stderr } = await start(APP, '--log-file', own, '--detach', '--name', 'shop', '--', '--detach');
  t.equal(code, 0, stderr);
  t.match(stderr, `  log       ${own}\n`);
  t.notOk(existsSync(log));
  const [worker] = (await status()).workers;
  t.match(readFileSync(`/proc/${worker?.pid}/cmdline`, 'utf8'), /--detach\0$/);
  t.equal((await holdfast('stop')).code, 0);
  t.match(readFileSync(own, 'utf8'), /"supervisor stopped"/);
});

t.test('what NODE_OPTIONS preload is for the workers here, too', async (t) => {
  const cwd = t.testdir({ 'preload.cjs': 'globalThis.preloaded = true;', 'app.cjs': '' });
  const { start, holdfast, status } = makePlace(t, { NODE_OPTIONS: `--require ${path.join(cwd, 'preload.cjs')}` });
  t.equal((await start(APP, '--detach', '--name', 'shop')).code, 0);
  const [worker] = (await status()).workers;
  t.match(readFileSync(`/proc/${worker?.pid}/environ`, 'utf8'), /NODE_OPTIONS=--require [^\0]*preload\.cjs/);
  t.equal((await holdfast('stop')).code, 0);
});

t.test('Ctrl-C while it starts ends both', async (t) => {
  const { env, holdfast, log } = makePlace(t);
  const cwd = t.testdir({ 'slow.cjs': "setInterval(() => {}, 1000); console.log('it is here');" });
  mkdirSync(path.dirname(log), { recursive: true, mode: 0o700 });
  const child = spawn(...plainly([bin, 'start', path.join(cwd, 'slow.cjs'), '--detach', '--name', 'shop'], env), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = once(child, 'close');
  await logged(log, /it is here/);
  child.kill('SIGINT');
  t.same(await closed, [130, null]);
  t.match(said, /^holdfast: stopping shop$/m);
  await logged(log, /"supervisor stopped"|cannot start/);
  t.equal((await holdfast('status')).code, 3);
});
