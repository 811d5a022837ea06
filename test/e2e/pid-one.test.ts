/** The supervisor as PID 1, as it is in a container: in a PID namespace of its own, which only root can make. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, type StartOptions } from './support/holdfast.js';

// unshare lets SIGTERM pass it by: a test that is cut off by its time limit takes it along all the same.
const WRAPPER = [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['unshare', '--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL'],
];
const [first = '', ...rest] = WRAPPER;
const can = spawnSync(first, [...rest, 'true']).status === 0;
const skip = can ? false : 'a PID namespace cannot be made here: this needs Linux, unshare(1), setpriv(1) and root';
const LITTER = path.join(apps, 'litter.cjs');

interface Entry {
  readonly pid: number;
  readonly state: string;
}

/** As this namespace sees them, outside. */
function childrenOf(parent: number): Entry[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [state = '', ppid] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return Number(ppid) === parent ? [{ pid: Number(pid), state }] : [];
    } catch {
      return [];
    }
  });
}

class PidOne extends Holdfast {
  constructor(test: Test, script: string, options: StartOptions = {}) {
    super(test, script, { ...options, wrapper: WRAPPER });
  }

  /** Of the supervisor, outside. */
  get outerPid(): number {
    const [child] = childrenOf(this.child.pid ?? 0);
    if (child === undefined) throw new Error('there is no PID 1');
    return child.pid;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.outerPid, name);
  }

  get zombies(): number {
    return childrenOf(this.outerPid).filter(({ state }) => state === 'Z').length;
  }
}

async function ask(port: number, where: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${where}`, { headers: { connection: 'close' } });
  return response.text();
}

/** They are reaped a second after the first of them: on a busy machine before the last one has been left behind. */
async function mostZombies(holdfast: PidOne, asked: Promise<unknown>): Promise<number> {
  let isDone = false;
  const done = asked.finally(() => {
    isDone = true;
  });
  let most = 0;
  do {
    most = Math.max(most, holdfast.zombies);
    await delay(10);
  } while (!isDone);
  await done;
  return Math.max(most, holdfast.zombies);
}

t.test('1,000 grandchildren that were left behind are reaped, and workers are still heard of', { skip }, async (t) => {
  const holdfast = new PidOne(t, LITTER, { args: ['-i', '2', '--log-level', 'debug', '--backoff-base', '10ms'] });
  const port = await holdfast.port();
  t.match(holdfast.lines('supervisor started'), [{ pid: 1 }]);
  t.equal(holdfast.lines('orphans are not reaped').length, 0);

  const workers = holdfast.lines('worker started').length;
  const asked = Promise.all([250, 250, 250, 250].map((count) => ask(port, `/litter?count=${count}`)));
  t.ok((await mostZombies(holdfast, asked)) > 0, 'they have become children of PID 1');
  // In the midst of it: the exit of a worker is Node's to hear of.
  await ask(port, '/crash').catch(() => {});
  await holdfast.line(({ msg, signal }) => msg === 'worker crashed' && signal === 'SIGKILL');
  await ask(port, '/litter?count=10');

  const deadline = Date.now() + 20_000;
  while (holdfast.zombies > 0 && Date.now() < deadline) await delay(100);
  t.equal(holdfast.zombies, 0, 'none is left');
  const { workers: now } = await holdfast.status();
  t.same(
    now.map(({ state }) => state),
    ['ready', 'ready'],
  );
  t.equal(holdfast.lines('worker started').length, workers + 1, 'the one that crashed was replaced, once');

  holdfast.signal('SIGTERM');
  t.equal(await holdfast.closed, 0);
  // Counted at the end: the log comes later than what it tells.
  const reaped = holdfast.lines('orphans reaped').reduce((sum, { count }) => sum + Number(count), 0);
  t.ok(reaped >= 1_000, `${reaped} were reaped`);
});

t.test('so does the parent of several, which systemd would hear nothing of', { skip }, async (t) => {
  const env = { NOTIFY_SOCKET: '/run/none', PORT: String(await freePort()) };
  const applications = [
    { name: 'litter', script: LITTER, ready: 'listening' },
    { name: 'bot', script: LITTER, ready: 'running', env: { PORT: '0' } },
  ];
  const file = path.join(t.testdir({ 'holdfast.json': JSON.stringify({ apps: applications }) }), 'holdfast.json');
  const holdfast = new PidOne(t, file, { env });
  for (const name of ['litter', 'bot']) await holdfast.line((line) => line.name === name && line.msg === 'started');
  t.match(holdfast.stderr, /^holdfast: warning: systemd is not told when all are ready: .*Type=exec/m);
  t.notMatch(holdfast.stderr, /not reaped/);
  const asked = ask(Number(env.PORT), '/litter?count=500');
  t.ok((await mostZombies(holdfast, asked)) > 0, 'they have become children of PID 1');
  const deadline = Date.now() + 20_000;
  while (holdfast.zombies > 0 && Date.now() < deadline) await delay(100);
  t.equal(holdfast.zombies, 0, 'none is left');
  holdfast.signal('SIGTERM');
  t.equal(await holdfast.closed, 0);
});

t.test('a supervisor that was stopped loses no exit of its own', { skip }, async (t) => {
  const holdfast = new PidOne(t, LITTER, { args: ['-i', '2', '--backoff-base', '10ms'] });
  const port = await holdfast.port();
  const worker = childrenOf(holdfast.outerPid)[0]!.pid;
  await ask(port, '/litter?count=5');
  holdfast.signal('SIGSTOP');
  process.kill(worker, 'SIGKILL');
  await delay(2_500);
  holdfast.signal('SIGCONT');
  t.match(await holdfast.message('worker crashed'), { signal: 'SIGKILL' });
  const deadline = Date.now() + 10_000;
  while (holdfast.zombies > 0 && Date.now() < deadline) await delay(100);
  t.equal(holdfast.zombies, 0);
  holdfast.signal('SIGTERM');
  t.equal(await holdfast.closed, 0);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  t.test(`${signal} to PID 1 drains and ends with 0: requests under way are answered`, { skip }, async (t) => {
    const holdfast = new PidOne(t, LITTER);
    const port = await holdfast.port();
    const answer = ask(port, '/slow');
    await holdfast.message('slow');
    holdfast.signal(signal);
    t.equal(await answer, 'slow');
    t.equal(await holdfast.closed, 0);
  });
}

t.test('SIGTERM before the supervisor listens is not lost', { skip }, async (t) => {
  const holdfast = new PidOne(t, LITTER);
  // The program that reads the configuration is its first child.
  const [parent] = await until(() => childrenOf(holdfast.child.pid ?? 0));
  await until(() => childrenOf(parent!.pid));
  process.kill(parent!.pid, 'SIGTERM');
  t.equal(await holdfast.closed, 128 + 15);
  t.same(holdfast.log, []);
});

t.test('what cannot start ends PID 1 with an exit code that says so', { skip }, async (t) => {
  const missing = new PidOne(t, path.join(apps, 'no-such-script.js'));
  t.equal(await missing.closed, 2);
  const broken = new PidOne(t, path.join(t.testdir({ 'broken.js': 'throw new Error("broken")' }), 'broken.js'));
  t.equal(await broken.closed, 1);
  t.match(broken.stderr, /cannot start/);
});

async function until(look: () => Entry[]): Promise<Entry[]> {
  for (;;) {
    const found = look();
    if (found.length > 0) return found;
    await delay(2);
  }
}

t.test('under an init of its own workers outlive it, and the next supervisor has them', { skip }, async (t) => {
  // It waits for whatever it is left with, as an init does, and starts what was killed anew.
  const init = ['sh', '-c', 'while :; do "$@"; code=$?; [ $code = 137 ] || exit $code; done', 'init'];
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'survivor.cjs'), {
    wrapper: [...WRAPPER, ...init],
    args: ['-i', '2'],
    env: { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m' },
  });
  await holdfast.message('started');
  const workers = async () => (await holdfast.status()).workers.map(({ id, pid }) => `${id} ${pid}`).sort();
  const before = await workers();
  t.not((await holdfast.status()).pid, 1);
  const [sh] = childrenOf(holdfast.child.pid ?? 0);
  const outer = () => childrenOf(sh?.pid ?? 0);
  for (let i = 0; i < 2; i++) {
    const from = holdfast.log.length;
    // The others are workers, which are its children from now on.
    const supervisor = outer().find(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0start\0'));
    process.kill(supervisor?.pid ?? 0, 'SIGKILL');
    await holdfast.message('started', from);
    t.same(await workers(), before);
    t.match(JSON.parse(await ask(port, '/')), { connected: true, disconnects: 0 });
  }
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
});
