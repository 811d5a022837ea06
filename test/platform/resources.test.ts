import { availableParallelism, totalmem } from 'node:os';
import t, { type Test } from 'tap';
import { readResources, usableProcessors } from '../../src/platform/resources.js';

type FixtureDir = NonNullable<Parameters<Test['testdir']>[0]>;
const MIB = 1024 ** 2;
const all = { processors: availableParallelism(), memoryBytes: totalmem() };
/** One processor, which every machine has, and some memory. */
const one = { processors: 1, memoryBytes: 64 * MIB };

t.test('a quota is rounded down, is one at least, and gives no processor that is not there', async (t) => {
  const table: [quota: number | null, processors: number, expected: number][] = [
    [null, 8, 8],
    [0.1, 8, 1],
    [1, 8, 1],
    [1.5, 8, 1],
    [1.99, 8, 1],
    [2, 8, 2],
    [3.7, 8, 3],
    [8, 8, 8],
    [16, 8, 8],
    [0.5, 1, 1],
  ];
  for (const [quota, processors, expected] of table) {
    t.equal(usableProcessors(quota, processors), expected, `${quota} of ${processors}`);
  }
});

t.test('reads the limits of version 2, of the nearest groups and of those above', async (t) => {
  const tree = (cgroup: string, groups: FixtureDir) => ({
    proc: { self: { cgroup } },
    sys: { fs: { cgroup: groups } },
  });
  const limits = { 'cpu.max': '150000 100000\n', 'memory.max': `${64 * MIB}\n` };
  const none = { 'cpu.max': 'max 100000\n', 'memory.max': 'max\n' };
  // A container has a namespace of its own, so its group looks like the root of all.
  t.same(await readResources(t.testdir(tree('0::/\n', limits))), one);
  t.same(await readResources(t.testdir(tree('0::/pod/app\n', { pod: { ...limits, app: none } }))), one, 'above');
  t.same(await readResources(t.testdir(tree('0::/pod/app\n', { pod: { ...none, app: limits } }))), one, 'its own');
  t.same(await readResources(t.testdir(tree('0::/pod/app\n', { pod: { other: limits, app: none } }))), all, 'beside');
  const larger = { 'cpu.max': '90000000 100000\n', 'memory.max': `${2 ** 50}\n` };
  t.same(await readResources(t.testdir(tree('0::/\n', larger))), all, 'more than the machine has');
});

t.test('reads the limits of version 1', async (t) => {
  const cpu = { 'cpu.cfs_quota_us': '100000\n', 'cpu.cfs_period_us': '100000\n' };
  const memory = { 'memory.limit_in_bytes': `${64 * MIB}\n` };
  const root = t.testdir({
    proc: { self: { cgroup: '5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n' } },
    sys: { fs: { cgroup: { 'cpu,cpuacct': { docker: { ...cpu, a: {} } }, memory: { docker: { a: memory } } } } },
  });
  t.same(await readResources(root), one);
});

t.test('is the whole machine where there are no control groups', async (t) => {
  t.same(await readResources(t.testdir({})), all);
});
