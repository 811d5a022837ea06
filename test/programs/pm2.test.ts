/**
 * Beside the real PM2, installed for it: what an application sees of the same file under both, and whether holdfast knows every key that
 * this PM2 has. Runs where a word names it: node scripts/test.js programs/pm2
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { KEY_OF_NAME, PM2_KEYS } from '../../src/config/pm2/keys.js';
import { bin } from '../e2e/support/holdfast.js';
import { endWith, haveEnded, isRunning } from '../e2e/support/processes.js';
import { type Command, install, startCommand } from './install.js';

t.setTimeout(120_000);

/** Writes down, line by line, what it sees; does what its variables say. */
const APP = `const fs = require('node:fs');
const { APP, SEEN, ENDS, CODE } = process.env;
const say = (line) => fs.appendFileSync(SEEN + '/' + APP, JSON.stringify({ pid: process.pid, ...line }) + '\\n');
const { env, execArgv, pid } = process;
say({ saw: 'start', args: process.argv.slice(2), execArgv, cwd: process.cwd(), env });
const hear = (word) => { say({ saw: word }); process.exit(0); };
for (const word of (ENDS || '').split(' ').filter(Boolean)) {
  if (word === 'message') process.on('message', (message) => message === 'shutdown' && hear('message'));
  else process.on(word, () => hear(word));
}
if (CODE) setTimeout(() => process.exit(Number(CODE)), APP === 'again' ? 1500 : 50);
setInterval(() => {}, 1e6);
`;

/** The same for both; SEEN_IN is a folder of each. */
const FILE = `const env = (APP, more) => ({ APP, SEEN: process.env.SEEN_IN, ...more });
module.exports = {
  apps: [
    { name: 'cluster', script: './app.cjs', instances: 2, exec_mode: 'cluster', args: '-a 13 --name "x y" k="v w"',
      node_args: '--max-old-space-size=300', port: 8080, kill_timeout: 3000,
      env: env('cluster', { MODE: 'plain', BOTH: 1, ENDS: 'SIGINT SIGTERM', OBJECT: { a: [1] } }),
      env_production: { MODE: 'production', NODE_ENV: 'production' } },
    { name: 'fork', cwd: 'inner', script: '../app.cjs', args: ['--list', 'a b'], instance_var: 'SEAT',
      env: env('fork', { ENDS: 'SIGINT' }) },
    { name: 'told', script: 'app.cjs', shutdown_with_message: true, kill_timeout: 3000,
      env: env('told', { ENDS: 'message' }) },
    { name: 'once', script: 'app.cjs', autorestart: false, env: env('once', { CODE: 3 }) },
    { name: 'enough', script: 'app.cjs', stop_exit_codes: [7], env: env('enough', { CODE: 7 }) },
    { name: 'again', script: 'app.cjs', exp_backoff_restart_delay: 100, env: env('again', { CODE: 1 }) },
  ],
};`;
const PROGRAM = { name: 'pm2 7', packages: { pm2: '7.0.4' }, files: {} };
const NAMES = ['cluster', 'fork', 'told', 'once', 'enough', 'again'];

interface Line {
  readonly pid: number;
  readonly saw: string;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What the applications have written down. */
class Seen {
  readonly dir: string;

  constructor(t: Test) {
    this.dir = mkdtempSync(path.join(os.tmpdir(), 'hf-seen-'));
    t.teardown(() => {
      for (const { pid } of NAMES.flatMap((name) => this.of(name))) {
        if (isRunning(pid)) process.kill(pid, 'SIGKILL');
      }
      rmSync(this.dir, { recursive: true, force: true });
    });
  }

  of(name: string): Line[] {
    const file = path.join(this.dir, name);
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Line);
  }

  starts(name: string): Line[] {
    return this.of(name).filter(({ saw }) => saw === 'start');
  }

  ends(name: string): string[] {
    return this.of(name).flatMap(({ saw }) => (saw === 'start' ? [] : [saw]));
  }

  async started(name: string, count: number): Promise<Line[]> {
    while (this.starts(name).length < count) await delay(20);
    return this.starts(name);
  }
}

function folderWithFile(): string {
  const dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'hf-pm2-')));
  mkdirSync(path.join(dir, 'inner'));
  writeFileSync(path.join(dir, 'app.cjs'), APP);
  writeFileSync(path.join(dir, 'ecosystem.config.cjs'), FILE);
  return dir;
}

/** Runs them all until each has done what it does by itself, then asks them to end. */
async function underPm2(t: Test, installed: string, dir: string): Promise<Seen> {
  const seen = new Seen(t);
  const home = mkdtempSync(path.join(os.tmpdir(), 'hf-pm2-home-'));
  const env = { PM2_HOME: home, SEEN_IN: seen.dir, PM2_DISABLE_VERSION_CHECK: 'true' };
  const daemon = () => Number(readFileSync(path.join(home, 'pm2.pid'), 'utf8'));
  const pm2 = async (words: string) => {
    const program = path.join(installed, 'node_modules/.bin/pm2');
    const { code, output } = await startCommand(t, `${program} ${words}`, { cwd: dir, env }).closed;
    if (code !== 0) throw new Error(`pm2 ${words} ended with ${code}:\n${output()}`);
  };
  t.teardown(async () => {
    if (existsSync(path.join(home, 'pm2.pid'))) {
      const pid = daemon();
      if (isRunning(pid)) process.kill(pid, 'SIGKILL');
      await haveEnded(pid);
    }
    rmSync(home, { recursive: true, force: true });
  });
  await pm2('start ecosystem.config.cjs --env production');
  endWith(t, daemon());
  await allDone(seen);
  await pm2('delete all');
  await pm2('kill');
  return seen;
}

async function underHoldfast(t: Test, dir: string): Promise<Seen> {
  const seen = new Seen(t);
  const runtimeDir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(runtimeDir, { recursive: true, force: true }));
  const env = { HOLDFAST_RUNTIME_DIR: runtimeDir, SEEN_IN: seen.dir };
  const words = `exec node ${bin} start ecosystem.config.cjs --env production`;
  const holdfast = startCommand(t, words, { cwd: dir, env });
  await orEnded(allDone(seen), holdfast);
  holdfast.child.kill('SIGTERM');
  const { code, output } = await holdfast.closed;
  t.equal(code, 0, code === 0 ? 'the parent ends with 0' : output().slice(-4_000));
  return seen;
}

/** Nothing more comes of what has ended. */
async function orEnded(done: Promise<void>, { closed }: Command): Promise<void> {
  await Promise.race([
    done,
    closed.then(({ output }) => {
      throw new Error(`holdfast has ended:\n${output().slice(-4_000)}`);
    }),
  ]);
}

async function allDone(seen: Seen): Promise<void> {
  await Promise.all(NAMES.map((name) => seen.started(name, name === 'cluster' ? 2 : name === 'again' ? 3 : 1)));
  for (const name of ['once', 'enough']) await haveEnded(...seen.starts(name).map(({ pid }) => pid));
}

/** The variables that the file gives, and where a worker is told its number. */
const GIVEN = ['MODE', 'BOTH', 'OBJECT', 'NODE_ENV', 'PORT', 'APP', 'ENDS', 'CODE', 'SEAT', 'NODE_APP_INSTANCE'];

function view({ args, execArgv, cwd, env }: Line) {
  const variables = Object.fromEntries(GIVEN.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  return { args, execArgv, cwd, variables };
}

const byNumber = (a: Line, b: Line) => Number(a.env.NODE_APP_INSTANCE) - Number(b.env.NODE_APP_INSTANCE);

t.test('an application sees the same under both', async (t) => {
  const installed = await install(t, PROGRAM);
  if (installed === null) return void t.comment('no network: PM2 cannot be installed');
  const dir = folderWithFile();
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const pm2 = await underPm2(t, installed, dir);
  const own = await underHoldfast(t, dir);

  for (const name of NAMES) {
    const count = name === 'again' ? 1 : undefined;
    t.strictSame(
      own.starts(name).sort(byNumber).slice(0, count).map(view),
      pm2.starts(name).sort(byNumber).slice(0, count).map(view),
      `${name}: arguments, options of node, folder and variables`,
    );
  }
  t.match(own.starts('cluster').sort(byNumber), [
    { args: ['-a', '13', '--name', 'x y', 'k="v w"'], env: { MODE: 'production', PORT: '8080', OBJECT: '{"a":[1]}' } },
    { env: { NODE_APP_INSTANCE: '1' } },
  ]);

  t.same(pm2.ends('cluster'), ['SIGINT', 'SIGINT'], 'PM2 sends SIGINT');
  t.same(own.ends('cluster'), ['SIGTERM', 'SIGTERM'], 'holdfast SIGTERM');
  t.same(pm2.ends('fork'), ['SIGINT']);
  t.same(own.ends('fork'), ['SIGINT'], 'but SIGINT to one that listens to that alone');
  t.same(pm2.ends('told'), ['message']);
  t.same(own.ends('told'), ['message']);

  for (const name of ['once', 'enough']) {
    t.equal(pm2.starts(name).length, 1);
    t.equal(own.starts(name).length, 1, `${name}: not replaced`);
  }
  t.ok(own.starts('again').length >= 3, 'a crash is replaced');
});

t.test('every key that this PM2 has is in the table', async (t) => {
  const installed = await install(t, PROGRAM);
  if (installed === null) return void t.comment('no network: PM2 cannot be installed');
  const file = path.join(installed, 'node_modules/pm2/lib/API/schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { alias?: string | string[] }>;
  t.ok(Object.keys(schema).length > 60);
  for (const [key, { alias = [] }] of Object.entries(schema)) {
    const name = key.startsWith('^env_') ? 'env_*' : key;
    t.ok(Object.hasOwn(PM2_KEYS, name), name);
    for (const other of [alias].flat()) t.equal(KEY_OF_NAME.get(other), name, `${other} is ${name}`);
  }
});
