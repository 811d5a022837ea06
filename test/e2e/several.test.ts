/** Several applications of one file under one parent: signals, labels, the first failure, the end. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { bin, Holdfast, makeRuntimeDir, plainly, root, run } from './support/holdfast.js';
import { endWith } from './support/processes.js';

t.jobs = 2;

const API = `const { createServer } = require('node:http');
const said = () => JSON.stringify({ mode: process.env.MODE, args: process.argv.slice(2), cwd: process.cwd() });
createServer((_request, response) => response.end(said())).listen(process.env.PORT, '127.0.0.1');`;
/** Ends as it is told to, or never. */
const BOT = `console.log('bot begins');
if (process.env.CODE) setTimeout(() => process.exit(Number(process.env.CODE)), 50);
setInterval(() => {}, 1e6);`;

interface Setup {
  readonly file?: string;
  readonly text: string;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
}

function folderOf(t: Test, { file = 'ecosystem.config.cjs', text }: Setup): { dir: string; target: string } {
  const dir = t.testdir({ 'package.json': '{}', 'api.js': API, 'bot.js': BOT, [file]: text });
  return { dir, target: file };
}

/** Ends the supervisors as well, should the parent not do it. */
function begin(t: Test, setup: Setup): { holdfast: Holdfast; dir: string; target: string } {
  const { dir, target } = folderOf(t, setup);
  const holdfast = new Holdfast(t, target, { cwd: dir, args: setup.args ?? [], env: setup.env ?? {} });
  t.teardown(() => {
    for (const { pid } of holdfast.lines('supervisor started')) killQuietly(Number(pid));
  });
  return { holdfast, dir, target };
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone, as it should.
  }
}

const said = (holdfast: Holdfast, name: string, msg: string, from = 0) =>
  holdfast.line((line) => line.name === name && line.msg === msg, from);

async function statusOf(holdfast: Holdfast, name: string): Promise<SupervisorStatus> {
  const { stdout, stderr, code } = await holdfast.run('status', '--name', name, '--json');
  if (code !== 0) throw new Error(`status of ${name} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as SupervisorStatus;
}

const PM2 = (port: number, mode = 'production') => `module.exports = async () => ({
  apps: [
    { name: 'api', script: './api.js', instances: 2, exec_mode: 'cluster', args: '-a "x y"', namespace: 'shop',
      env: { PORT: ${port}, MODE: 'plain' }, env_production: { MODE: '${mode}' } },
    { name: 'bot', script: 'bot.js' },
  ],
});`;

t.test("PM2's file: each application under a supervisor of its own, with its environment and arguments", async (t) => {
  const port = await freePort();
  const { holdfast, dir, target } = begin(t, { text: PM2(port), args: ['--env', 'production'] });
  await Promise.all(['api', 'bot'].map((name) => said(holdfast, name, 'started')));

  t.same(await ask(port), { mode: 'production', args: ['-a', 'x y'], cwd: dir });
  t.match(await statusOf(holdfast, 'api'), { name: 'api', size: 2 });
  t.match(await statusOf(holdfast, 'bot'), { name: 'bot', size: 1 });
  t.match(holdfast.stderr, /^api \| holdfast: api, from PM2's file; taken over: .*\binstances\b.*$/m);
  t.match(holdfast.stderr, /^api \| {3}namespace +ignored: /m);
  t.match(holdfast.stderr, /^bot \| holdfast: bot, from PM2's file/m);

  writeFileSync(path.join(dir, target), PM2(port, 'changed'));
  holdfast.child.kill('SIGHUP');
  await Promise.all(['api', 'bot'].map((name) => said(holdfast, name, 'rollout done')));
  t.match(await ask(port), { mode: 'changed' }, 'a reload reads the file anew, with the same --env');

  holdfast.child.kill('SIGTTIN');
  await Promise.all(['api', 'bot'].map((name) => said(holdfast, name, 'scaling')));

  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
  for (const name of ['api', 'bot']) {
    const stops = holdfast.log.filter((line) => line.name === name && /^stop/.test(line.msg));
    t.match(stops, [{ msg: 'stop asked for', signal: 'SIGTERM' }, { msg: 'stopping' }], `${name} is told once`);
  }
  t.equal(holdfast.lines('supervisor stopped').length, 2);
});

t.test("holdfast's own file, and --only: the one that is chosen is this very process", async (t) => {
  const port = await freePort();
  const text = `env: { MODE: own }\napps:\n  - { name: api, script: api.js, env: { PORT: ${port} } }\n  - { name: bot, script: bot.js, ready: running }\n`;
  const { holdfast } = begin(t, { file: 'holdfast.yaml', text, args: ['--only', 'api'] });
  await said(holdfast, 'api', 'started');
  t.match(await statusOf(holdfast, 'api'), { pid: holdfast.pid });
  t.match(await ask(port), { mode: 'own' });
  t.equal((await holdfast.run('status', '--name', 'bot')).code, 3);
  holdfast.child.kill('SIGINT');
  t.equal(await holdfast.closed, 0);
});

t.test('the first failure stops the others, and is what the parent ends with', async (t) => {
  const port = await freePort();
  const text = `module.exports = { apps: [
    { name: 'api', script: 'api.js', instances: 1, env: { PORT: ${port} } },
    { name: 'bot', script: 'bot.js', env: { CODE: 7 }, max_restarts: 1, min_uptime: '1m' },
  ] };`;
  const { holdfast } = begin(t, { text });
  t.equal(await holdfast.closed, 1);
  t.match(holdfast.stderr, /^bot \| holdfast: cannot start .*bot\.js/m);
  t.match(holdfast.stderr, /^holdfast: bot has ended with 1: stopping api$/m);
  t.notMatch(holdfast.stderr, /^\s*at .+:\d+:\d+\)?$/m, 'no stack trace');
});

t.test('one that ends well leaves the others running, and when all have ended it ends with 0', async (t) => {
  const port = await freePort();
  const text = `module.exports = { apps: [
    { name: 'api', script: 'api.js', instances: 1, env: { PORT: ${port} } },
    { name: 'bot', script: 'bot.js' },
  ] };`;
  const { holdfast } = begin(t, { text });
  await Promise.all(['api', 'bot'].map((name) => said(holdfast, name, 'started')));
  t.equal((await holdfast.run('stop', '--name', 'bot')).code, 0);
  t.match(await ask(port), { args: [] });
  t.equal((await holdfast.run('stop', '--name', 'api')).code, 0);
  t.equal(await holdfast.closed, 0);
  t.match(holdfast.stderr, /^holdfast: bot has ended; api goes on$/m);
});

t.test('a second signal stops at once', async (t) => {
  const { holdfast } = begin(t, {
    text: `module.exports = { apps: ['a', 'b'].map((name) => ({ name, script: 'stubborn.js', kill_timeout: 3600000 })) };`,
  });
  writeFileSync(
    path.join(t.testdirName, 'stubborn.js'),
    "process.on('SIGTERM', () => console.log('asked')); setInterval(() => {}, 1e6);",
  );
  await Promise.all(['a', 'b'].map((name) => said(holdfast, name, 'started')));
  holdfast.child.kill('SIGTERM');
  await Promise.all(['a', 'b'].map((name) => said(holdfast, name, 'asked')));
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
  t.equal(holdfast.lines('stopping at once').length, 2);
});

t.test('lines that are no JSON have the name before them', async (t) => {
  const { dir, target } = folderOf(t, {
    text: `module.exports = { apps: [{ name: 'a', script: 'bot.js', max_restarts: 0, min_uptime: '1m', env: { CODE: 1 } }, { name: 'other', script: 'bot.js' }] };`,
  });
  const args = ['start', target, '--log-format', 'pretty'];
  const { code, stdout, stderr } = await run(args, { cwd: dir, runtimeDir: makeRuntimeDir(t) });
  t.equal(code, 1, stderr);
  const lines = stdout.split('\n').slice(0, -1);
  t.ok(lines.length > 3);
  t.same(
    lines.filter((line) => !/^(?:a {4}|other) \| /.test(line)),
    [],
  );
  t.match(stdout, /^a {5}\| .*bot begins$/m);
});

t.test('mistakes are told once, before anything is started, and with the next step', async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const dir = t.testdir({
    'package.json': '{}',
    'bot.js': BOT,
    'ecosystem.config.cjs':
      "module.exports = { apps: [{ name: 'a', script: 'bot.js' }, { name: 'b', script: 'bot.js' }] };",
    'broken.config.cjs': "module.exports = {\n  apps: [\n    { name: 'a' script: 'b' }\n] };",
    'ecosystem.twice.json': '[{ "name": "a", "script": "bot.js" }, { "name": "a", "script": "bot.js" }]',
    'ecosystem.gone.json':
      '[{ "name": "a", "script": "bot.js" }, { "name": "b", "script": "botx.js", "instances": {} }]',
  });
  for (const [args, expected] of [
    [['ecosystem.config.cjs', '--only', 'c'], /--only: "c" — must be of the file's applications: a, b/],
    [['ecosystem.config.cjs', '--name', 'x'], /--name — must be for one application: choose it with --only/],
    [['broken.config.cjs'], /broken\.config\.cjs\n.*line 3: it threw SyntaxError/],
    [['ecosystem.twice.json'], /\[1\]\.name: "a" — must be another one: \[0\] has it/],
    [
      ['ecosystem.gone.json'],
      /\[1\]\.instances: an object — must be a number or text[\s\S]*\[1\]\.script: "botx\.js" — .*"bot\.js"/,
    ],
    [['bot.js', '--only', 'a'], /--only — must not be given/],
  ] as const) {
    const { code, stdout, stderr } = await run(['start', ...args], { cwd: dir, runtimeDir });
    t.equal(code, 2, stderr);
    t.match(stderr, expected);
    t.notMatch(stderr, /^\s+at .+:\d+:\d+\)?$/m, 'no stack trace');
    t.equal(stdout, '');
  }
});

t.test('a name that is taken stops what was begun, and not the one that has it', async (t) => {
  const text = "module.exports = { apps: [{ name: 'a', script: 'bot.js' }, { name: 'b', script: 'bot.js' }] };";
  const { holdfast, dir, target } = begin(t, { text });
  await Promise.all(['a', 'b'].map((name) => said(holdfast, name, 'started')));
  const again = await run(['start', target, '--log-format', 'json'], { cwd: dir, runtimeDir: holdfast.runtimeDir });
  t.not(again.code, 0);
  t.match(again.stderr, /^[ab] \| holdfast: cannot .*\b[ab]\b/m);
  t.match(await statusOf(holdfast, 'a'), { name: 'a' });
  t.match(await statusOf(holdfast, 'b'), { name: 'b' });
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
});

const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;

t.test(
  'Ctrl-C in a terminal reaches each supervisor once',
  { skip: hasPython ? false : 'needs python3, for a pseudo-terminal' },
  async (t) => {
    const { dir, target } = folderOf(t, {
      text: "module.exports = { apps: [{ name: 'a', script: 'bot.js' }, { name: 'b', script: 'bot.js' }] };",
    });
    const command = plainly([bin, 'start', target], { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) }).flat();
    const terminal = spawn('python3', [path.join(root, 'test/fixtures/terminal.py'), ...command], {
      cwd: dir,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.teardown(() => terminal.stdin.end());
    endWith(t, terminal.pid ?? 0);
    let shown = '';
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    const closed = once(terminal, 'close');
    while ((shown.match(/runs with 1 worker, PID \d+/g) ?? []).length < 2) await once(terminal.stdout, 'data');
    for (const [, pid] of shown.matchAll(/runs with 1 worker, PID (\d+)/g)) endWith(t, Number(pid));
    terminal.stdin.write('\x03');
    t.same(await closed, [0, null]);
    t.equal((shown.match(/stop asked for/g) ?? []).length, 2);
    t.notMatch(shown, /stopping at once/);
    t.match(shown, /^a \| .*bot begins/m, 'and what is shown there is for people');
  },
);
