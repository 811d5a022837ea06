import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, bin, Holdfast, makeRuntimeDir, plainly, root, run } from './support/holdfast.js';

const forger = path.join(apps, 'forger.cjs');

/** Processes that this one has started and that still run. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** Whether a process has a handler for the signal, as the kernel knows it: proc_pid_status(5). */
function catches(pid: number, signal: number): boolean {
  const [, mask = '0'] = /^SigCgt:\s+([\da-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

t.test('signals that come while it starts do what they are to do, and nothing else', async (t) => {
  // It takes until the test lets it go on.
  const dir = t.testdir({
    'slow.config.mjs': `import { existsSync } from 'node:fs';
      while (!existsSync(new URL('go', import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 10));
      export default { script: ${JSON.stringify(forger)} };`,
  });
  const holdfast = new Holdfast(t, path.join(dir, 'slow.config.mjs'), { env: { PORT: String(await freePort()) } });
  const [SIGHUP, SIGUSR2, SIGTTIN] = [1, 12, 21];
  // `env` becomes node by exec: the PID is the same.
  while (![SIGHUP, SIGUSR2, SIGTTIN].every((signal) => catches(holdfast.pid, signal))) await delay(2);
  for (const signal of ['SIGUSR1', 'SIGTTIN', 'SIGHUP', 'SIGUSR2'] as const) holdfast.child.kill(signal);
  t.equal(holdfast.log.length, 0, 'it has not begun yet');
  writeFileSync(path.join(dir, 'go'), '');
  await holdfast.message('started');
  for (let { size } = await holdfast.status(); size < 2; size = (await holdfast.status()).size);
  t.match(await holdfast.status(), { size: 2 }, 'one slot more was asked for');
  t.notMatch(holdfast.stderr, /Debugger listening/);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
});

t.test('a stop that comes while the configuration is read ends it, and who reads it', async (t) => {
  const dir = t.testdir({ 'endless.config.mjs': 'for (;;);' });
  const holdfast = new Holdfast(t, path.join(dir, 'endless.config.mjs'));
  let children: number[] = [];
  while (children.length === 0) {
    await delay(2);
    children = childrenOf(holdfast.pid);
  }
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 143);
  for (const pid of children) while (isRunning(pid)) await delay(2);
});

t.test('a configuration with something open is checked, started and stopped', async (t) => {
  const dir = t.testdir({
    'open.config.mjs': `setInterval(() => {}, 1e6); export default { script: ${JSON.stringify(forger)} };`,
  });
  const file = path.join(dir, 'open.config.mjs');
  t.match(await run(['check', file]), { code: 0, stdout: /correct/ });
  const holdfast = new Holdfast(t, file, { env: { PORT: String(await freePort()) } });
  await holdfast.message('started');
  t.equal((await holdfast.run('reload')).code, 0);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
});

t.test('a stop does not wait for a configuration that is being read anew for ever', async (t) => {
  const dir = t.testdir({});
  const file = path.join(dir, 'x.config.mjs');
  writeFileSync(file, `export default { script: ${JSON.stringify(forger)} };`);
  const holdfast = new Holdfast(t, file, { env: { PORT: String(await freePort()) } });
  await holdfast.message('started');
  const before = new Set(childrenOf(holdfast.pid));
  writeFileSync(file, 'for (;;);');
  holdfast.child.kill('SIGHUP');
  let readers: number[] = [];
  while (readers.length === 0) {
    await delay(2);
    readers = childrenOf(holdfast.pid).filter((pid) => !before.has(pid));
  }
  const began = performance.now();
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
  t.ok(performance.now() - began < 8_000, 'sooner than the configuration would have been given up');
  for (const pid of readers) while (isRunning(pid)) await delay(2);
});

t.test('a reader of its output that is stuck does not keep it', async (t) => {
  const dir = t.testdir({
    'chatty.cjs':
      "require('node:http').createServer().listen(0); setInterval(() => console.log('x'.repeat(10_000)), 1);",
  });
  const runtimeDir = makeRuntimeDir(t);
  const env = { HOLDFAST_RUNTIME_DIR: runtimeDir };
  const args = [bin, 'start', path.join(dir, 'chatty.cjs'), '--drain-timeout', '100ms', '--kill-timeout', '100ms'];
  const child = spawn(...plainly(args, env), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  // Nobody reads its standard output.
  child.stdout.pause();
  let stderr = '';
  while (!stderr.includes('runs with')) stderr += String((await once(child.stderr, 'data'))[0]);
  const socket = path.join(runtimeDir, readdirSync(runtimeDir).find((file) => file.endsWith('.sock')) ?? '');
  t.ok(existsSync(socket));
  // Long enough for the pipe to be full.
  await delay(1_000);
  const began = performance.now();
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
  t.ok(performance.now() - began < 10_000, `it took ${performance.now() - began} ms`);
});

const unshare = await canUnshare();
const prlimit = await canLimit();

t.test('a runtime folder that becomes read-only is told, and does not keep it', { skip: unshare }, async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const wrapper = ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o mode=700 none ${runtimeDir} && exec "$@"`, 'sh'];
  const holdfast = new Holdfast(t, forger, { runtimeDir, wrapper, env: { PORT: String(await freePort()) } });
  await holdfast.message('started');
  // Not while a file in it is being written: right after a start that of what the next supervisor has to know.
  const words = ['-t', String(holdfast.pid), '-m', 'mount', '-o', 'remount,ro', runtimeDir];
  while ((await once(spawn('nsenter', words), 'close'))[0] !== 0) await delay(20);
  const began = performance.now();
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
  t.ok(performance.now() - began < 10_000);
  t.match(holdfast.lines('cannot clean up'), [{ reason: /EROFS/ }]);
});

t.test('what the system does not give is told as that, with what to do', { skip: unshare }, async (t) => {
  for (const [options, code] of [
    ['ro,mode=700', 'EROFS'],
    ['mode=700,nr_inodes=1', 'ENOSPC'],
  ] as const) {
    const runtimeDir = makeRuntimeDir(t);
    const wrapper = ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o ${options} none ${runtimeDir} && exec "$@"`, 'sh'];
    const holdfast = new Holdfast(t, forger, { runtimeDir, wrapper, env: { PORT: String(await freePort()) } });
    t.equal(await holdfast.closed, 1, code);
    t.match(holdfast.stderr, new RegExp(`^holdfast: cannot .*${code}\\n  \\S`));
    t.notMatch(holdfast.stderr, /bug|^\s+at /m);
  }
});

t.test('too few file descriptors are told as that', async (t) => {
  const few = async (count: number) => {
    const [command, args] = plainly([bin, 'start', forger], { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) });
    const child = spawn('sh', ['-c', `ulimit -n ${count}; exec "$@"`, 'sh', command, ...args], { cwd: root });
    t.teardown(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.resume();
    const [code] = await once(child, 'close');
    return { code, stderr };
  };
  for (const count of [22, 24]) {
    const { code, stderr } = await few(count);
    t.not(code, 0, `${count} descriptors`);
    t.match(stderr, /^holdfast: cannot .*(?:EMFILE|descriptor)/m, `${count} descriptors: ${stderr}`);
    t.notMatch(stderr, /this is a bug|^\s+at /m, `${count} descriptors`);
  }
});

t.test('no file descriptor left at a reload refuses it, and ends nothing', { skip: prlimit }, async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, forger, {
    env: { PORT: String(port) },
    args: ['--before-reload', 'true', '--backoff-max', '100ms'],
  });
  await holdfast.message('started');
  const limit = async (count: number | string) => {
    const child = spawn('prlimit', ['--pid', String(holdfast.pid), `--nofile=${count}:`], { stdio: 'ignore' });
    t.equal((await once(child, 'close'))[0], 0);
  };
  const present = readdirSync(`/proc/${holdfast.pid}/fd`).length;
  // Fewer and fewer are left: each time another part finds none.
  for (const left of [11, 10, 9, 8, 7, 5, 3]) {
    const from = holdfast.log.length;
    await limit(present + left);
    holdfast.child.kill('SIGHUP');
    const done = ['reload refused', 'rollout done', 'rollback done'];
    const { msg, reason } = await holdfast.line((line) => done.includes(line.msg), from);
    t.comment(`${left} left: ${msg} ${reason ?? ''}`);
    await limit(4096);
    t.match(await holdfast.status(), { pid: holdfast.pid, state: 'running' });
  }
  t.equal((await holdfast.run('reload')).code, 0);
});

/** @returns why not, or false */
async function canUnshare(): Promise<string | false> {
  const child = spawn('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
  const [code] = await once(child, 'close').catch(() => [-1]);
  return code === 0 ? false : 'needs root, to have a file system of its own';
}

/** @returns why not, or false */
async function canLimit(): Promise<string | false> {
  const child = spawn('prlimit', ['--version'], { stdio: 'ignore' });
  const [code] = await once(child, 'close').catch(() => [-1]);
  return code === 0 ? false : 'needs prlimit(1)';
}
