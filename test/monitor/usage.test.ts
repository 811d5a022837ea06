import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { mock } from 'node:test';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

// pidusage's clock is set before its first use: its one timer is made then.
mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.now() });
const { usage } = await import('../../src/monitor/usage.js');

async function sleeper(t: Test): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child as ChildProcess & { pid: number };
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

t.test('tells CPU and memory of this process', async (t) => {
  const own = (await usage([process.pid])).get(process.pid);
  t.ok(own);
  t.ok(own!.cpuPercent >= 0);
  t.ok(own!.rssBytes > 10 * 1024 * 1024);
  t.ok(own!.rssBytes < 64 * 1024 ** 3);
});

t.test('counts the CPU time since the last question', async (t) => {
  await usage([process.pid]);
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < 100_000);
  t.ok((await usage([process.pid])).get(process.pid)!.cpuPercent > 0);
});

t.test('a PID that is gone is missing in the answer', async (t) => {
  const child = await sleeper(t);
  t.ok((await usage([child.pid])).has(child.pid));
  await kill(child);
  t.equal((await usage([child.pid])).size, 0);
});

t.test('a PID that is gone, or that cannot be, does not spoil the others', async (t) => {
  const [alive, gone] = [await sleeper(t), await sleeper(t)];
  await kill(gone);
  const answer = await usage([gone.pid, alive.pid, -1, 0, Number.NaN, 2 ** 31 - 1, process.pid]);
  t.same([...answer.keys()], [alive.pid, process.pid]);
});

t.test('tells of many PIDs at once, and of none', async (t) => {
  const children = await Promise.all(Array.from({ length: 20 }, () => sleeper(t)));
  const pids = children.map((child) => child.pid);
  const answer = await usage(pids);
  t.same([...answer.keys()], pids);
  t.ok([...answer.values()].every((one) => one.rssBytes > 0));
  t.equal((await usage([])).size, 0);
});

/** How many descriptors of this process are open on what the system tells of that one. */
const watched = (pid: number) =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `/proc/${pid}/stat`;
    } catch {
      return false;
    }
  }).length;

t.test('does not keep the process alive', async (t) => {
  const program = fileURLToPath(new URL('../fixtures/monitor/usage.js', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: 'ignore', env: { ...process.env, NODE_OPTIONS: '' } });
  t.teardown(() => child.kill('SIGKILL'));
  t.same(await once(child, 'exit'), [0, null]);
});

t.test('questions at the same time open nothing twice', async (t) => {
  const child = await sleeper(t);
  await Promise.all([usage([child.pid]), usage([child.pid]), usage([child.pid, process.pid])]);
  t.equal(watched(child.pid), 1);
});

t.test('nothing is kept of a PID that is gone', async (t) => {
  const child = await sleeper(t);
  await usage([child.pid]);
  t.equal(watched(child.pid), 1);
  await kill(child);
  mock.timers.tick(90_001);
  while (watched(child.pid) > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(watched(child.pid), 0);
});
