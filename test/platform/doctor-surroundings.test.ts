import { chmodSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { ensureRuntimeDir } from '../../src/control/runtime-dir.js';
import { readCgroupLimits } from '../../src/platform/checks/cgroup.js';
import type { Machine } from '../../src/platform/checks/check.js';
import { backlog, migration, synBacklog } from '../../src/platform/checks/kernel.js';
import { openFiles, parseOpenFiles } from '../../src/platform/checks/process.js';
import { container, systemd } from '../../src/platform/checks/surroundings.js';
import { isInRange } from '../../src/platform/checks/version-range.js';
import { thisMachine } from '../../src/platform/doctor.js';
import { NO_NATIVE } from '../fixtures/sockets/support.js';

const signal = new AbortController().signal;

/** A machine whose /proc and /sys are folders of the test. */
function machineIn(root: string, change: Partial<Machine> = {}): Machine {
  const runtimeDir = path.join(root, 'run');
  return { ...thisMachine({ env: {}, runtimeDir, ensureRuntimeDir }, NO_NATIVE), root, processors: 4, ...change };
}

t.test('reads the limits of TCP from /proc/sys', async (t) => {
  const net = {
    core: { somaxconn: '128\n' },
    ipv4: { tcp_max_syn_backlog: '256\n', tcp_syncookies: '1\n', tcp_migrate_req: '0\n' },
  };
  const machine = machineIn(t.testdir({ proc: { sys: { net } } }));
  t.same(await backlog.collect(machine, signal), { somaxconn: 128, granted: null });
  t.same(await synBacklog.collect(machine, signal), { maxSynBacklog: 256, synCookies: 1 });
  t.same(await migration.collect(machine, signal), { migrateReq: 0 });
});

t.test('takes no number from what is none', async (t) => {
  const machine = machineIn(t.testdir({ proc: { sys: { net: { ipv4: { tcp_migrate_req: 'many\n' } } } } }));
  t.same(await migration.collect(machine, signal), { migrateReq: null });
});

t.test('reads the limit of open files from /proc/self/limits', async (t) => {
  const limits = (soft: string, hard: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \n` +
    `Max processes             96365                96365                processes \n` +
    `Max open files            ${soft.padEnd(20)} ${hard.padEnd(20)} files     \n`;
  t.same(parseOpenFiles(limits('1024', '524288')), { soft: 1024, hard: 524288 });
  t.same(parseOpenFiles(limits('1024', 'unlimited')), { soft: 1024, hard: Number.POSITIVE_INFINITY });
  t.equal(parseOpenFiles('Max processes 1 1 processes\n'), null);
  const machine = machineIn(t.testdir({ proc: { self: { limits: limits('7', '8') } } }));
  t.same(await openFiles.collect(machine, signal), { limits: { soft: 7, hard: 8 }, processors: 4 });
});

t.test('reads the limits of a control group of version 2, those above it included', async (t) => {
  const root = t.testdir({
    proc: { self: { cgroup: '0::/shop.slice/web\n' } },
    sys: {
      fs: {
        cgroup: {
          'shop.slice': {
            'cpu.max': '150000 100000\n',
            'memory.max': '1073741824\n',
            web: { 'cpu.max': 'max 100000\n', 'memory.max': '536870912\n' },
          },
        },
      },
    },
  });
  t.same(await readCgroupLimits(root), { version: 2, cpus: 1.5, memoryBytes: 2 ** 29 });
});

t.test('reads the limits of control groups of version 1', async (t) => {
  const root = t.testdir({
    proc: { self: { cgroup: '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n' } },
    sys: {
      fs: {
        cgroup: {
          // In a container the path is often that of the host, and the group's own folder is the root.
          'cpu,cpuacct': { 'cpu.cfs_quota_us': '50000\n', 'cpu.cfs_period_us': '100000\n' },
          memory: { 'memory.limit_in_bytes': '268435456\n' },
        },
      },
    },
  });
  t.same(await readCgroupLimits(root), { version: 1, cpus: 0.5, memoryBytes: 2 ** 28 });
});

t.test('takes no limit for one', async (t) => {
  const v1 = t.testdir({
    proc: { self: { cgroup: '4:memory:/\n3:cpu:/\n' } },
    sys: {
      fs: {
        cgroup: {
          cpu: { 'cpu.cfs_quota_us': '-1\n', 'cpu.cfs_period_us': '100000\n' },
          memory: { 'memory.limit_in_bytes': '9223372036854771712\n' },
        },
      },
    },
  });
  t.same(await readCgroupLimits(v1), { version: 1, cpus: null, memoryBytes: null });
  const v2 = t.testdir({
    proc: { self: { cgroup: '0::/\n' } },
    sys: { fs: { cgroup: { 'cpu.max': 'max 100000\n', 'memory.max': 'max\n' } } },
  });
  t.same(await readCgroupLimits(v2), { version: 2, cpus: null, memoryBytes: null });
  t.same(await readCgroupLimits(path.join(v2, 'nowhere')), { version: null, cpus: null, memoryBytes: null });
});

t.test('knows a container by its signs', async (t) => {
  const signOf = async (root: string, env: Record<string, string> = {}) =>
    (await container.collect(machineIn(root, { env }), signal)).sign;
  t.equal(await signOf(t.testdir({ '.dockerenv': '' })), '/.dockerenv');
  t.equal(await signOf(t.testdir({ run: { '.containerenv': '' } })), '/run/.containerenv');
  t.equal(await signOf(t.testdir({}), { container: 'lxc' }), '$container');
  t.equal(await signOf(t.testdir({}), { KUBERNETES_SERVICE_HOST: '10.0.0.1' }), '$KUBERNETES_SERVICE_HOST');
  t.equal(await signOf(t.testdir({})), null);
});

/** A folder with a `systemctl` that prints this, for PATH. */
function systemctl(t: Test, text: string) {
  const root = t.testdir({ proc: { 1: { comm: 'systemd\n' } }, bin: { systemctl: `#!/bin/sh\necho '${text}'\n` } });
  chmodSync(path.join(root, 'bin/systemctl'), 0o755);
  return machineIn(root, { env: { PATH: path.join(root, 'bin'), NOTIFY_SOCKET: '/run/systemd/notify' } });
}

t.test('asks systemctl for its version', async (t) => {
  t.same(await systemd.collect(systemctl(t, 'systemd 254 (254.5-1)'), signal), {
    init: 'systemd',
    notifySocket: true,
    version: 254,
  });
  t.match(await systemd.collect(systemctl(t, 'something else'), signal), { version: null });
  const nowhere = machineIn(t.testdir({}), { env: { PATH: '/nonexistent' } });
  t.same(await systemd.collect(nowhere, signal), { init: null, notifySocket: false, version: null });
});

t.test('knows which versions fit a range', async (t) => {
  const range = '^20.19.0 || ^22.12.0 || >=24';
  const rows: [string, boolean][] = [
    ['v20.18.3', false],
    ['v20.19.0', true],
    ['v20.20.2', true],
    ['v21.7.0', false],
    ['v22.11.9', false],
    ['v22.12.0', true],
    ['v23.99.0', false],
    ['v24.0.0', true],
    ['v26.0.0-nightly20260101', true],
    ['v126.0.0', true],
  ];
  for (const [version, expected] of rows) t.equal(isInRange(version, range), expected, version);
});

t.test('refuses a range or a version that it cannot read', async (t) => {
  for (const range of ['~20.0.0', '20', '^20 <21', '']) t.throws(() => isInRange('v20.0.0', range), RangeError, range);
  t.throws(() => isInRange('twenty', '>=20'), RangeError);
});
