import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import t from 'tap';
import { loadExec } from '../../src/native/exec.js';

const skip = process.platform === 'linux' ? false : 'execve by libc is used on Linux';
/** O_CLOEXEC of open(2), as fdinfo shows it. */
const CLOEXEC = 0o2000000;

function isClosedOnExec(fd: number): boolean {
  const [, flags = ''] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? [];
  return (Number.parseInt(flags, 8) & CLOEXEC) !== 0;
}

t.test('an exec that fails says why, and leaves all as it was', { skip }, async (t) => {
  const exec = loadExec();
  if (exec === null) throw new Error('koffi is not there');
  const fd = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(fd));
  t.equal(exec.execve('/no/such/node', ['node'], {}, [fd]), 'ENOENT');
  t.equal(isClosedOnExec(fd), true);
});

t.test('a duplicate is for this program alone', { skip }, async (t) => {
  const exec = loadExec();
  if (exec === null) throw new Error('koffi is not there');
  const fd = openSync('/dev/null', 'r');
  const other = exec.duplicate(fd) ?? 0;
  t.ok(other > 2 && other !== fd);
  t.equal(isClosedOnExec(other), true);
  closeSync(fd);
  exec.close(other);
  t.equal(exec.duplicate(other), null, 'what is not open has none');
});

t.test('a signal does by default what it does, and is caught again by who listens anew', { skip }, async (t) => {
  const exec = loadExec();
  if (exec === null) throw new Error('koffi is not there');
  const listener = () => {};
  process.on('SIGUSR2', listener);
  t.teardown(() => process.removeListener('SIGUSR2', listener));
  const isCaught = () => {
    const [, mask = ''] = /^SigCgt:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
    // SIGUSR2 is 12.
    return (Number.parseInt(mask.slice(-8), 16) & (1 << 11)) !== 0;
  };
  t.equal(isCaught(), true);
  exec.toDefault(['SIGUSR2']);
  t.equal(isCaught(), false);
  // The test runner may listen as well.
  const all = process.listeners('SIGUSR2');
  process.removeAllListeners('SIGUSR2');
  for (const one of all) process.on('SIGUSR2', one);
  t.equal(isCaught(), true);
});

t.test('a process that is no child of this program is not waited for', { skip }, async (t) => {
  const exec = loadExec();
  if (exec === null) throw new Error('koffi is not there');
  const child: ChildProcess = spawn('sleep', ['60']);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  t.equal(exec.collect(child.pid ?? 0), null, 'it runs');
  t.equal(exec.collect(1), null);
  t.equal(exec.collect(0), null, 'never any of them');
  t.equal(exec.collect(-1), null);
});
