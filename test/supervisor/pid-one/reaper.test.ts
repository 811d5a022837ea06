import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { orphanDuty, Reaper } from '../../../src/supervisor/pid-one/reaper.js';
import { seesItself, zombiesOf } from '../../../src/supervisor/pid-one/zombies.js';

const OURS = 1;
/** As the kernel writes it: 52 fields, of which only some matter here. */
function stat(pid: number, state: string, { parent = OURS, began = 100, name = 'sh' } = {}): string {
  return `${pid} (${name}) ${state} ${parent} ${'0 '.repeat(17)}${began} 0 0\n`;
}

/** A /proc that the test writes, and a reaper whose time the test makes go by. */
function fakeProcesses(t: Test, processes: Readonly<Record<number, string>>) {
  const proc = t.testdir(Object.fromEntries(Object.entries(processes).map(([pid, text]) => [pid, { stat: text }])));
  const reaped: number[] = [];
  const counts: number[] = [];
  const ticks: (() => void)[] = [];
  t.intercept(globalThis, 'setTimeout', {
    value: (tick: () => void) => {
      ticks.push(tick);
      return { unref() {} };
    },
  });
  const reaper = new Reaper({
    pid: OURS,
    proc,
    reap(pid) {
      reaped.push(pid);
      rmSync(path.join(proc, String(pid)), { recursive: true });
      return true;
    },
    onReaped: (count) => counts.push(count),
  });
  const write = (pid: number, text: string) => writeFileSync(path.join(proc, `${pid}/stat`), text);
  return { reaper, reaped, counts, ticks, write, proc };
}

t.test('reaps who was a zombie a look before, and nobody else', async (t) => {
  const { reaper, reaped, counts, ticks, write } = fakeProcesses(t, {
    10: stat(10, 'Z'),
    11: stat(11, 'S'),
    12: stat(12, 'Z', { parent: 11 }),
    13: stat(13, 'Z', { name: 'a) Z 1 (b\nc' }),
  });
  await reaper.look();
  t.same(reaped, [], 'it may be a child of Node that Node has not heard of yet');
  t.equal(ticks.length, 1, 'it looks again');
  write(11, stat(11, 'Z'));
  await reaper.look();
  t.same(reaped.sort(), [10, 13]);
  t.same(counts, [2]);
  await reaper.look();
  t.same(reaped.sort(), [10, 11, 13], 'the one that came later, a look later');
});

t.test('takes a PID that was used again for another process', async (t) => {
  const { reaper, reaped, write } = fakeProcesses(t, { 10: stat(10, 'Z', { began: 100 }) });
  await reaper.look();
  write(10, stat(10, 'Z', { began: 200 }));
  await reaper.look();
  t.same(reaped, []);
  await reaper.look();
  t.same(reaped, [10]);
});

t.test('sleeps until it is woken, and looks once for many ends', async (t) => {
  const { reaper, ticks, reaped } = fakeProcesses(t, { 10: stat(10, 'Z') });
  t.equal(ticks.length, 0);
  for (let i = 0; i < 100; i++) reaper.wake();
  t.equal(ticks.length, 1);
  await reaper.look();
  await reaper.look();
  t.same(reaped, [10]);
  t.equal(ticks.length, 2, 'nobody is left: no further look');

  const looking = reaper.look();
  reaper.wake();
  await looking;
  t.equal(ticks.length, 3, 'who ended while it looked is not forgotten');
  reaper.close();
  reaper.wake();
  t.equal(ticks.length, 3, 'nothing after the end');
});

t.test('a child that somebody else has waited for is no error', async (t) => {
  const proc = t.testdir({ 10: { stat: stat(10, 'Z') } });
  const counts: number[] = [];
  const reap = () => {
    throw new Error('ECHILD');
  };
  const reaper = new Reaper({ pid: OURS, proc, reap, onReaped: (count) => counts.push(count) });
  await reaper.look();
  await reaper.look();
  reaper.close();
  t.same(counts, []);
});

t.test('looks at the children of the main thread alone where the kernel tells them apart', async (t) => {
  const proc = t.testdir({
    [OURS]: { task: { [OURS]: { children: '10 12 ' }, 5: { children: '11 ' } } },
    10: { stat: stat(10, 'Z', { began: 7 }) },
    11: { stat: stat(11, 'Z') },
    12: { stat: stat(12, 'R') },
  });
  t.same(await zombiesOf(OURS, proc), [{ pid: 10, startedAt: '7' }]);
  t.same(await zombiesOf(OURS, path.join(proc, 'nowhere')), [], 'where nothing can be read there is nobody');
});

t.test('finds a real zombie in the real /proc', { skip: process.platform !== 'linux' }, async (t) => {
  // The shell becomes a program that never waits for the child that it has had.
  const parent = spawn('sh', ['-c', 'sleep 0 & exec sleep 60'], { stdio: 'ignore' });
  const exited = once(parent, 'exit');
  let zombies = await zombiesOf(parent.pid!, '/proc');
  while (zombies.length === 0) {
    await delay(20);
    zombies = await zombiesOf(parent.pid!, '/proc');
  }
  t.equal(zombies.length, 1);
  t.match(zombies, [{ startedAt: /^[1-9]\d*$/ }]);
  parent.kill('SIGKILL');
  await exited;
});

t.test('only PID 1 reaps orphans; it says so where it cannot', async (t) => {
  const native = { ok: true };
  t.same(orphanDuty({ pid: 1, native, seesItself: true }), { duty: 'reap' });
  t.same(orphanDuty({ pid: 4711, native, seesItself: true }), { duty: 'none' });
  t.same(orphanDuty({ pid: 4711, native: { ok: false, reason: 'no koffi' }, seesItself: false }), { duty: 'none' });
  t.match(orphanDuty({ pid: 1, native: { ok: false, reason: 'no koffi' }, seesItself: true }), {
    duty: 'warn',
    reason: /no koffi$/,
    hint: /docker run --init/,
  });
  t.match(orphanDuty({ pid: 1, native, seesItself: false }), { duty: 'warn', reason: /\/proc/ });
});

t.test('knows a /proc of another PID namespace', async (t) => {
  const proc = t.testdir({});
  t.equal(seesItself(proc, 1), false, 'there is none');
  symlinkSync('17', path.join(proc, 'self'));
  t.equal(seesItself(proc, 17), true);
  t.equal(seesItself(proc, 1), false);
});
