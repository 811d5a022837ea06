import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { ensureRuntimeDir } from '../../src/control/runtime-dir.js';
import { load } from '../../src/native/libc.js';
import type { Check, Machine } from '../../src/platform/checks/check.js';
import { CHECKS, type DoctorReport, examine, thisMachine } from '../../src/platform/doctor.js';
import { probe } from '../../src/platform/probe.js';
import { NO_NATIVE, nativeOf, openFds } from '../fixtures/sockets/support.js';

const native = nativeOf();

/** This machine, with a runtime folder that is not there yet. */
function machine(t: Test, change: Partial<Machine> = {}): Machine {
  // Not t.testdir(): its paths are longer than the name of a unix socket may be.
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-doctor-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env.PATH };
  return { ...thisMachine({ env, runtimeDir: path.join(dir, 'a/b'), ensureRuntimeDir }), ...change };
}

function find({ checks }: DoctorReport, id: string) {
  const found = checks.find((check) => check.id === id);
  if (found === undefined) throw new Error(`no check ${id}`);
  return found;
}

function states({ promises }: DoctorReport) {
  return promises.map(({ state }) => state);
}

t.test('reports every check and promise, whatever this machine is like', async (t) => {
  const report = await examine(machine(t));
  t.same(
    report.checks.map(({ id }) => id),
    CHECKS.map(({ id }) => id),
  );
  t.equal(new Set(report.checks.map(({ id }) => id)).size, report.checks.length, 'no id is used twice');
  for (const check of report.checks) {
    t.ok(['ok', 'degraded', 'missing', 'unknown'].includes(check.result), check.id);
    for (const text of [check.title, check.found, check.meaning]) t.match(text, /\S/, check.id);
  }
  t.same(
    report.promises.map(({ number }) => number),
    [1, 2, 3, 4, 5, 6],
  );
  t.equal(
    report.ok,
    states(report).every((state) => state === 'kept'),
  );
  t.same(JSON.parse(JSON.stringify(report)), report, 'plain data');
});

t.test('finds what the probe finds, and sees it at work', async (t) => {
  const report = await examine(machine(t));
  const { reusePort, steering } = await probe();
  t.equal(find(report, 'reusePort').result, reusePort.supported ? 'ok' : 'missing');
  for (const id of ['steering', 'affinity']) {
    t.equal(find(report, id).result, steering.supported ? 'ok' : 'missing', find(report, id).found);
  }
  t.match(find(report, 'reuseAddr'), { result: 'ok', found: /bound again/ });
  t.equal(find(report, 'koffi').result, 'ok');
});

t.test('proves TIME_WAIT by what happens without SO_REUSEADDR', async (t) => {
  const report = await examine(machine(t));
  t.match(find(report, 'reuseAddr').found, /is in TIME_WAIT was bound again; without the option .* is refused/);
});

t.test('without koffi promises 4 and 6 are broken, with the remedy; what is seen elsewhere still counts', async (t) => {
  const report = await examine(machine(t, { native: NO_NATIVE }));
  for (const id of ['steering', 'affinity', 'acceptQueue', 'koffi']) {
    t.match(find(report, id), { result: 'missing', found: 'koffi is not there', remedy: /npm install koffi/ }, id);
  }
  const fourth = report.promises[3]!;
  t.match(fourth, { number: 4, state: 'broken', reason: /koffi is not there/, remedy: /npm install koffi/ });
  const sixth = report.promises[5]!;
  t.match(sixth, { number: 6, state: 'broken', reason: /^koffi .*koffi is not there/, remedy: /npm install koffi/ });
  t.equal(report.ok, false);
  const kept = existsSync('/proc/net/tcp') ? 'kept' : 'unknown';
  t.same(states(report), [kept, kept, kept, 'broken', 'kept', 'broken']);
});

t.test('a kernel that refuses the program breaks promise 4', async (t) => {
  const strange = load({ ...native.constants, steering: { attach: 9999, detach: 9999 } }, 'koffi');
  const report = await examine(machine(t, { native: strange }));
  t.match(find(report, 'steering'), { result: 'missing', found: /ENOPROTOOPT/, remedy: /Linux/ });
  t.equal(states(report)[3], 'broken');
});

t.test('a system without such programs breaks promise 4', async (t) => {
  const bare = load({ ...native.constants, steering: null, tcpInfo: null }, 'koffi');
  const report = await examine(machine(t, { native: bare }));
  t.match(find(report, 'steering'), { result: 'missing', remedy: /Linux/ });
  t.match(find(report, 'acceptQueue'), { result: 'missing', found: /does not tell/ });
  t.equal(states(report)[3], 'broken');
});

t.test('a machine without /proc, /sys and koffi is examined all the same', async (t) => {
  const report = await examine(
    machine(t, { native: NO_NATIVE, root: t.testdir({}), platform: 'sunos', arch: 'x64', env: {} }),
  );
  for (const id of ['openFiles', 'backlog', 'synBacklog']) t.equal(find(report, id).result, 'unknown', id);
  t.match(find(report, 'migration'), { result: 'missing', remedy: null });
  t.match(find(report, 'systemd'), { result: 'missing', found: /PID 1 is not visible/, remedy: null });
  t.match(find(report, 'container'), { result: 'ok', found: /^no container, no control group, no CPU quota/ });
  t.match(find(report, 'koffi'), { result: 'missing', remedy: /use Linux/ });
  t.match(find(report, 'takeover'), { result: 'missing', found: /does not show whose/, remedy: /\/proc/ });
  t.match(find(report, 'reuseAddr'), { result: 'unknown', remedy: /koffi/ });
});

t.test('a runtime folder that cannot be used breaks the promises that need a supervisor', async (t) => {
  const file = path.join(t.testdir({}), 'file');
  writeFileSync(file, '');
  const report = await examine(machine(t, { runtimeDir: path.join(file, 'below') }));
  t.match(find(report, 'runtimeFolder'), { result: 'missing', found: /ENOTDIR/, remedy: /HOLDFAST_RUNTIME_DIR/ });
  t.same(states(report), ['broken', 'broken', 'broken', 'broken', 'kept', 'broken']);
  t.equal(report.ok, false);
});

t.test('leaves neither sockets nor folders behind, and no folder that was there away', async (t) => {
  const subject = machine(t);
  await examine(subject);
  const before = openFds();
  await examine(subject);
  t.equal(openFds(), before);
  t.equal(existsSync(path.dirname(subject.runtimeDir)), false);
  t.equal(existsSync(path.dirname(path.dirname(subject.runtimeDir))), true);

  await ensureRuntimeDir(subject.runtimeDir);
  t.match(find(await examine(subject), 'runtimeFolder'), { result: 'ok' });
  t.equal(existsSync(subject.runtimeDir), true);
});

t.test('a check that is told to give up closes what it has opened', async (t) => {
  const subject = machine(t);
  const before = openFds();
  const ids = ['reuseAddr', 'steering', 'affinity', 'acceptQueue'];
  for (const check of CHECKS.filter(({ id }) => ids.includes(id))) {
    const giveUp = new AbortController();
    const collected = check.collect(subject, giveUp.signal);
    giveUp.abort();
    await t.rejects(collected, { name: 'AbortError' }, `${check.id}, under way`);
    await t.rejects(check.collect(subject, giveUp.signal), { name: 'AbortError' }, `${check.id}, not begun`);
  }
  t.equal(openFds(), before);
});

t.test('a check that breaks or never ends is unknown, and so is what depends on it', async (t) => {
  const fine = { result: 'ok', found: 'f', meaning: 'm', remedy: null } as const;
  const others: Check<unknown>[] = CHECKS.map(({ id, title }) => ({
    id,
    title,
    collect: async () => null,
    judge: () => fine,
  }));
  const broken: [Partial<Check<unknown>>, RegExp][] = [
    [{ collect: () => Promise.reject(new Error('first line\n  at somewhere')) }, /could not be made: first line$/],
    [{ collect: () => Promise.reject('no error at all') }, /could not be made: no error at all$/],
    [
      {
        collect: () => {
          throw Object.assign(new Error('x'), { code: 'EPERM', syscall: 'open' });
        },
      },
      /could not be made: open: EPERM$/,
    ],
    [{ judge: () => (null as unknown as { length: 0 }).length as never }, /could not be made: /],
    [{ collect: () => new Promise(() => {}) }, /could not be made: no result within 0.01 s$/],
  ];
  for (const [change, found] of broken) {
    const checks = others.map((check) => (check.id === 'steering' ? { ...check, ...change } : check));
    const report = await examine(machine(t), checks, 10);
    t.match(find(report, 'steering'), { result: 'unknown', found });
    t.same(states(report), ['kept', 'kept', 'kept', 'unknown', 'kept', 'kept']);
    t.equal(report.ok, false);
  }
  t.equal((await examine(machine(t), others, 10)).ok, true, 'none of them');
});
