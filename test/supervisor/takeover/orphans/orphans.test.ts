import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import {
  attachAt,
  attachPath,
  findOrphans,
  isThere,
  namesLeft,
  orphanAt,
  readVariables,
  signalProcess,
} from '../../../../src/supervisor/takeover/orphans/orphans.js';
import { onlyOwn } from '../../../../src/supervisor/takeover/orphans/own-orphans.js';

// No such folder: whose it would be does not matter.
const AT = '/run/holdfast-of-nobody/shop.attach';
const OWN = process.getuid?.() ?? 0;

function environOf(change: Readonly<Record<string, string | undefined>> = {}, at = AT): string {
  const terms = JSON.stringify({ path: at, drainTimeoutMs: 30_000, killTimeoutMs: 5_000 });
  const variables = {
    ...{ PATH: '/bin', HOLDFAST_WORKER: '7', HOLDFAST_SLOT: '1', HOLDFAST_GENERATION: '3', HOLDFAST_ATTACH: terms },
    ...change,
  };
  const given = Object.entries(variables).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => `${name}=${value}\0`).join('');
}

t.test('a worker is known by the variables that it was started with', async (t) => {
  t.same(readVariables(environOf()), { worker: 7, slot: 1, generation: 3, attachAt: AT, endMs: 35_000 });
  const others = [
    { HOLDFAST_WORKER: undefined },
    { HOLDFAST_SLOT: '-1' },
    { HOLDFAST_GENERATION: '1e3' },
    { HOLDFAST_WORKER: '9'.repeat(16) },
    { HOLDFAST_ATTACH: '' },
    { HOLDFAST_ATTACH: 'null' },
    { HOLDFAST_ATTACH: '{"path":3}' },
    { HOLDFAST_ATTACH: '{' },
  ];
  for (const change of others) t.equal(readVariables(environOf(change)), null, JSON.stringify(change));
});

t.test('where workers look, and which of them do', async (t) => {
  t.equal(attachPath('/run/holdfast-of-nobody/', 'shop'), AT);
  const isLinux = process.platform === 'linux';
  t.equal(attachAt({ name: 'shop', orphanTimeoutMs: 1 }, '/run/holdfast-of-nobody'), isLinux ? AT : null);
  t.equal(attachAt({ name: 'shop', orphanTimeoutMs: 0 }, '/run/holdfast'), null);
});

/** A proc file system with these processes. @param processes their real user is this one, if not said */
function makeProc(
  t: Test,
  processes: Readonly<Record<number, { environ?: string; stat: string; uid?: number }>>,
): string {
  const proc = t.testdir();
  for (const [pid, { environ, stat, uid = OWN }] of Object.entries(processes)) {
    mkdirSync(path.join(proc, pid));
    if (environ !== undefined) writeFileSync(path.join(proc, pid, 'environ'), environ);
    writeFileSync(path.join(proc, pid, 'stat'), stat);
    // Effective, saved and file system's user are those of a program with the set-user-ID bit of root.
    writeFileSync(
      path.join(proc, pid, 'status'),
      `Name:\tUid:\nUmask:\t0022\nUid:\t${uid}\t0\t0\t0\nGid:\t7\t7\t7\t7\n`,
    );
  }
  mkdirSync(path.join(proc, 'sys'));
  return proc;
}

/** proc_pid_stat(5), with whatever somebody has called the process. */
function stat(pid: number, parent: number, state = 'S', startedAt = 4_711): string {
  return `${pid} (no) (de) 3 7) ${state} ${parent} ${'0 '.repeat(17)}${startedAt} 0 0\n`;
}

t.test('orphans are found among all processes, and nobody else', async (t) => {
  const proc = makeProc(t, {
    20: { environ: environOf({ HOLDFAST_WORKER: '8' }), stat: stat(20, 1) },
    10: { environ: environOf(), stat: stat(10, 1, 'S', 99) },
    11: { environ: environOf(), stat: stat(11, 10) },
    12: { environ: environOf({}, '/run/holdfast/blog.attach'), stat: stat(12, 1) },
    13: { environ: environOf({ HOLDFAST_WORKER: '9' }), stat: stat(13, 1, 'Z') },
    14: { environ: environOf({ HOLDFAST_WORKER: '10' }), stat: stat(14, process.pid) },
    15: { environ: 'PATH=/bin\0', stat: stat(15, 1) },
    16: { stat: stat(16, 1) },
  });
  t.match(findOrphans(AT, proc), [
    { pid: 10, worker: 7, slot: 1, generation: 3, startedAt: '99' },
    { pid: 20, worker: 8 },
  ]);
  t.equal(findOrphans(AT, proc).length, 2, 'no child of one, none of this process, none that has ended');
  t.match(orphanAt(12, '/run/holdfast/blog.attach', proc), { pid: 12 });
  t.equal(orphanAt(12, AT, proc), null);
  t.equal(orphanAt(99, AT, proc), null);
  t.same(findOrphans(AT, path.join(proc, 'missing')), []);
});

t.test('orphans of a runtime folder whose name is not ASCII are found', async (t) => {
  const at = '/run/Läden/shop.attach';
  const proc = makeProc(t, { 10: { environ: environOf({}, at), stat: stat(10, 1) } });
  t.match(findOrphans(at, proc), [{ pid: 10, attachAt: at }]);
});

t.test('what the kernel runs is not looked at; in a container number 2 may be anything', async (t) => {
  const processes = { 2: { stat: stat(2, 0) }, 10: { environ: environOf(), stat: stat(10, 2) } };
  for (const [comm, found] of [
    ['kthreadd\n', []],
    ['node\n', [{ pid: 10 }]],
  ] as const) {
    const proc = makeProc(t, processes);
    mkdirSync(path.join(proc, '2/task/2'), { recursive: true });
    writeFileSync(path.join(proc, '2/comm'), comm);
    writeFileSync(path.join(proc, '2/task/2/children'), '3 10 ');
    t.match(findOrphans(AT, proc), found);
    t.equal(findOrphans(AT, proc).length, found.length);
  }
});

t.test('what another user has started is told from a worker, whatever it says', async (t) => {
  const dir = t.testdir();
  const at = attachPath(dir, 'shop');
  const proc = makeProc(t, {
    10: { environ: environOf({}, at), stat: stat(10, 1) },
    11: { environ: environOf({ HOLDFAST_WORKER: '8' }, at), stat: stat(11, 1), uid: OWN + 1 },
    12: { environ: environOf({ HOLDFAST_WORKER: '9' }, at), stat: stat(12, 1, 'S', 5), uid: OWN + 1 },
  });
  const found = findOrphans(at, proc);
  t.match(found, [
    { pid: 10, isForeign: false },
    { pid: 11, isForeign: true },
    { pid: 12, isForeign: true },
  ]);
  const pids = (workers: Parameters<typeof onlyOwn>[1]) => onlyOwn(found, workers).map(({ pid }) => pid);
  t.same(pids([]), [10]);
  t.same(pids([{ pid: 12, startedAt: '5' }]), [10, 12], 'a worker that has become another user is one still');
  t.same(pids([{ pid: 12, startedAt: '6' }]), [10], 'but not who has its number');
});

t.test('a number that another process has been given is not the same process', async (t) => {
  const proc = makeProc(t, { 10: { stat: stat(10, 1, 'S', 99) }, 11: { stat: stat(11, 1, 'X') } });
  t.ok(isThere({ pid: 10, startedAt: '99' }, proc));
  t.notOk(isThere({ pid: 10, startedAt: '100' }, proc));
  t.notOk(isThere({ pid: 11, startedAt: '4711' }, proc), 'nor is one that has ended');
});

t.test(
  'a signal reaches that very process and its group, or nobody',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const start = (detached: boolean): ChildProcess => {
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 300_000)'], { detached, stdio: 'ignore' });
      t.teardown(() => child.kill('SIGKILL'));
      return child;
    };
    const markOf = ({ pid = 0 }: ChildProcess) => ({ pid, startedAt: startOf(pid) });
    const child = start(false);
    const mark = markOf(child);
    t.notOk(signalProcess({ ...mark, startedAt: '1' }, 'SIGKILL'));
    t.ok(signalProcess(mark, 'SIGTERM', true), 'one that leads no group gets it alone');
    t.same(await once(child, 'exit'), [null, 'SIGTERM']);
    t.notOk(signalProcess(mark, 'SIGTERM'), 'it has gone');
    const leader = start(true);
    t.ok(signalProcess(markOf(leader), 'SIGKILL', true));
    t.same(await once(leader, 'exit'), [null, 'SIGKILL']);
  },
);

/** The time at which it began, as the system has it. */
function startOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

t.test('a supervisor that has died leaves its name', async (t) => {
  const dir = t.testdir({
    'shop.attach': '',
    'shop.state': '',
    'blog.sock': '',
    '.attach': '',
    '.x.sock': '',
    'x.lock': '',
  });
  t.same(namesLeft(dir), ['blog', 'shop']);
  t.same(namesLeft(path.join(dir, 'missing')), []);
});
