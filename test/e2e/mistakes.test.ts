import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, bin, Holdfast, makeRuntimeDir, type Outcome, plainly, run } from './support/holdfast.js';

const moody = path.join(apps, 'moody.cjs');

/** Runs a command that must fail; no stack trace is told to anybody. */
async function mistake(
  args: readonly string[],
  runtimeDir: string,
  env: Record<string, string> = {},
  nodeArgs: readonly string[] = [],
): Promise<Outcome> {
  const outcome = await run(args, { runtimeDir, env, nodeArgs, cwd: apps });
  t.notMatch(outcome.stderr, /^\s+at .+:\d+:\d+\)?$/m, `no stack trace: holdfast ${args.join(' ')}`);
  t.match(outcome.stderr, /^holdfast: /);
  return outcome;
}

t.test('mistakes on the command line end with 2 and say what to do', async (t) => {
  const dir = makeRuntimeDir(t);
  for (const [args, expected] of [
    [['start'], /script/],
    [['start', 'mody.cjs'], /mody\.cjs.*moody\.cjs/s],
    [['start', '.'], /director|folder/],
    [['start', 'moody.cjs', '-i', 'many'], /instances.*many/s],
    [['start', 'moody.cjs', '-i', '0'], /instances/],
    [['start', 'moody.cjs', '--ready-timeout', '30'], /30s/],
    [['start', 'moody.cjs', '--drain-timout', '3s'], /--drain-timeout/],
    [['start', 'moody.cjs', '--listen-mode', 'fast'], /reuseport/],
    [['strat', 'moody.cjs'], /start/],
    [['scale', 'lots'], /lots/],
  ] as const) {
    const { code, stderr } = await mistake(args, dir);
    t.equal(code, 2, `holdfast ${args.join(' ')}`);
    t.match(stderr, expected);
  }
});

t.test('commands for a supervisor that does not run end with 3', async (t) => {
  const dir = makeRuntimeDir(t);
  for (const command of [['status'], ['reload'], ['stop'], ['scale', '2'], ['restart'], ['status', '--name', 'shop']]) {
    t.equal((await mistake(command, dir)).code, 3, command.join(' '));
  }
});

t.test('a syntax error in the script ends the start with 1 and shows where it is', async (t) => {
  const script = path.join(t.testdir({ 'broken.js': 'const = 3;\n' }), 'broken.js');
  const { code, stderr } = await run(['start', script], { runtimeDir: makeRuntimeDir(t) });
  t.equal(code, 1);
  t.match(stderr, /broken\.js:1/);
  t.match(stderr, /SyntaxError/);
});

t.test(
  'a second supervisor of the same name is refused; a socket that a killed one left is not in the way',
  async (t) => {
    const env = { PORT: String(await freePort()) };
    const first = new Holdfast(t, moody, { args: ['--name', 'twin'], env });
    await first.message('started');
    const { code, stderr } = await mistake(['start', moody, '--name', 'twin'], first.runtimeDir, env);
    t.equal(code, 1);
    t.match(stderr, new RegExp(`twin.*${first.pid}`, 's'));

    first.child.kill('SIGKILL');
    await first.closed;
    const socket = path.join(first.runtimeDir, 'twin.sock');
    t.ok(existsSync(socket), 'it was left behind');
    const second = new Holdfast(t, moody, { args: ['--name', 'twin'], env, runtimeDir: first.runtimeDir });
    await second.message('started');
    t.equal((await second.status()).pid, second.pid);
  },
);

t.test('a runtime folder that is not safe is refused', async (t) => {
  const dir = path.join(makeRuntimeDir(t), 'run');
  mkdirSync(dir, { mode: 0o755 });
  chmodSync(dir, 0o777);
  const open = await mistake(['start', moody], dir);
  t.equal(open.code, 2);
  t.match(open.stderr, /0700|chmod/);
  if (process.getuid?.() === 0) {
    chmodSync(dir, 0o700);
    chownSync(dir, 65534, 65534);
    const foreign = await mistake(['start', moody], dir);
    t.equal(foreign.code, 2);
    t.match(foreign.stderr, /65534/);
  }
});

t.test(
  'without koffi auto shares one socket and says so; a demand is refused where Node cannot do it itself',
  async (t) => {
    const hide = path.join(
      t.testdir({
        'hide.cjs': `const Module = require('node:module');
        const { _load } = Module;
        Module._load = function (request, ...rest) {
          if (/^(?:koffi$|@koromix)/.test(request)) throw Object.assign(new Error('hidden by the test'), { code: 'MODULE_NOT_FOUND' });
          return _load.call(this, request, ...rest);
        };`,
      }),
      'hide.cjs',
    );
    const nodeArgs = ['--require', hide];
    const env = { PORT: String(await freePort()) };
    const holdfast = new Holdfast(t, moody, { env, nodeArgs });
    await holdfast.message('started');
    const status = await holdfast.status();
    t.match(status, { listenMode: 'reuseaddr', steering: false });
    const said = holdfast.lines('one shared socket for each address');
    t.equal(said.length, 1, 'said once');
    t.match(said[0]?.reason, /koffi/);
    t.match(status.listenModeReason, /koffi/);
    const [major = 0] = process.versions.node.split('.').map(Number);
    if (major >= 22) {
      const elsewhere = { ...env, PORT: String(await freePort()) };
      const own = new Holdfast(t, moody, { args: ['--listen-mode', 'reuseport'], env: elsewhere, nodeArgs });
      await own.message('started');
      t.match(
        await own.status(),
        { listenMode: 'reuseport', steering: false, steeringReason: /koffi/ },
        "Node's own way",
      );
      t.equal(own.lines('steering is not available').length, 1, 'and that the kernel is not steered is said');
      return;
    }
    const words = ['start', moody, '--listen-mode', 'reuseport'];
    const demanded = await mistake(words, makeRuntimeDir(t), env, nodeArgs);
    t.equal(demanded.code, 2);
    t.match(demanded.stderr, /koffi|22\.12/);
  },
);

t.test('a configuration is checked, with all its faults at once', async (t) => {
  const dir = t.testdir({
    'good.yaml': `script: ${moody}\ninstances: 2\n`,
    'bad.yaml': `script: ${moody}\ninstances: -1\nreadyTimeout: soon\nlistenmode: auto\nenv: { SECRET: 5 }\n`,
  });
  const good = await run(['check', path.join(dir, 'good.yaml')], { runtimeDir: makeRuntimeDir(t) });
  t.equal(good.code, 0, good.stderr);
  const bad = await run(['check', path.join(dir, 'bad.yaml')], { runtimeDir: makeRuntimeDir(t) });
  t.equal(bad.code, 2);
  for (const part of [/instances.*-1/, /readyTimeout.*soon/, /listenmode.*listenMode/]) t.match(bad.stderr, part);
});

t.test('the reader of status may go away', async (t) => {
  const holdfast = new Holdfast(t, moody, { env: { PORT: String(await freePort()) } });
  await holdfast.message('started');
  const child = spawn(...plainly([bin, 'status'], { HOLDFAST_RUNTIME_DIR: holdfast.runtimeDir }), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += String(data);
  });
  await once(child, 'close');
  t.equal(stderr, '');
});

t.test(
  'what is written is bounded by who reads: a worker that floods its output does not grow the supervisor',
  async (t) => {
    const dir = t.testdir({
      'flood.cjs': `require('node:http').createServer().listen(${await freePort()}, '127.0.0.1', () => {
      const line = 'x'.repeat(1000) + '\\n';
      (function write() { for (let i = 0; i < 50; i++) process.stdout.write(line); setImmediate(write); })();
    });`,
    });
    const args = [bin, 'start', path.join(dir, 'flood.cjs'), '--log-format', 'json'];
    const child = spawn(...plainly(args, { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) }), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(async () => {
      if (child.exitCode !== null) return;
      child.stdout.resume();
      child.kill('SIGTERM');
      child.kill('SIGTERM');
      await once(child, 'close');
    });
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    // Reads some, so that everything is warm, then nothing: the worker would go on writing for ever.
    let seen = 0;
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (data: Buffer) => {
        seen += data.length;
        if (seen < 20e6) return;
        child.stdout.pause();
        child.stdout.removeAllListeners('data');
        resolve();
      });
    });
    const before = rss();
    let after = before;
    // Until nothing moves any more: the pipe, the supervisor's buffer and the worker's pipe are full.
    for (let still = 0, last = ''; still < 20; ) {
      const io = readFileSync(`/proc/${child.pid}/io`, 'utf8').split('\n')[0] ?? '';
      still = io === last ? still + 1 : 0;
      last = io;
      after = Math.max(after, rss());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    t.ok(after < before + 32_000, `${before} kB while it was read, ${after} kB when nobody read`);
  },
);

t.test('what a terminal would obey does not reach it, whoever it comes from', async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const evil = '\u001b]0;title\u0007\u202e';
  const dir = t.testdir({ 'x.json': JSON.stringify({ [evil]: 1, script: 'app.js', name: evil }), 'app.js': '' });
  for (const args of [
    ['start', `${evil}.js`],
    ['check', path.join(dir, 'x.json')],
    ['status', '--name', evil],
    [evil],
    ['scale', evil],
  ]) {
    const { code, stdout, stderr } = await run(args, { runtimeDir, cwd: dir });
    t.not(code, 0);
    t.notMatch(stdout + stderr, /(?![\n\t])\p{Cc}|\p{Bidi_Control}/u, JSON.stringify(args));
  }
});
