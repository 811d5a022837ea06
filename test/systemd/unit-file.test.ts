import { readFileSync } from 'node:fs';
import t from 'tap';
import { type ServiceDescription, serviceUnit, socketUnit } from '../../src/systemd/unit.js';
import { templateUnit } from '../../src/systemd/unit-template.js';

const SHOP: ServiceDescription = {
  name: 'shop',
  description: 'shop (holdfast)',
  systemd: 254,
  start: ['/usr/bin/node', '/opt/holdfast/bin/holdfast.js', 'start', '/srv/shop/app.js', '--name=shop'],
  reload: ['/usr/bin/node', '/opt/holdfast/bin/holdfast.js', 'reload', '--name=shop'],
  stop: ['/usr/bin/node', '/opt/holdfast/bin/holdfast.js', 'stop', '--name=shop'],
  workingFolder: '/srv/shop',
  pwd: null,
  user: { kind: 'fixed', name: 'shop', group: null },
  instances: 4,
  surge: 1,
  startTimeoutMs: 60_000,
  stopTimeoutMs: 65_001,
  notifiesItself: true,
  hasSocket: false,
  readsHome: false,
  readsTmp: [],
  privilegedPorts: false,
  writable: [],
  header: [],
};

/** All values of each setting. */
function settings(unit: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [, key = '', value = ''] of unit.matchAll(/^(\w+)=(.*)$/gm)) {
    found[key] = [...(found[key] ?? []), value];
  }
  return found;
}

const service = (changes: Partial<ServiceDescription> = {}) => settings(serviceUnit({ ...SHOP, ...changes }));

t.test('a reload is a signal where systemd waits for its end, and a command elsewhere', async (t) => {
  for (const systemd of [253, 254, 257]) {
    const unit = service({ systemd });
    t.match(unit, { Type: ['notify-reload'] });
    t.notOk('ExecReload' in unit);
  }
  for (const systemd of [239, 252]) {
    t.match(service({ systemd }), {
      Type: ['notify'],
      ExecReload: ['/usr/bin/node /opt/holdfast/bin/holdfast.js reload --name=shop'],
    });
  }
});

t.test('an older systemd is not told what it does not know', async (t) => {
  const old = service({ systemd: 239 });
  for (const key of [
    'ProtectProc',
    'ProtectClock',
    'ProtectKernelLogs',
    'ProtectHostname',
    'OOMPolicy',
    'RestartSteps',
  ]) {
    t.ok(key in service(), key);
    t.notOk(key in old, key);
  }
  t.ok('ProtectSystem' in old);
});

t.test('a systemd without dynamic users does not run it as root instead', async (t) => {
  const user = { kind: 'dynamic', name: 'holdfast-shop' } as const;
  t.throws(() => serviceUnit({ ...SHOP, systemd: 234, user }), { code: 'UNIT_USER', exitCode: 2, hint: /--user/ });
  const dynamic = service({ user });
  t.match(dynamic, { User: ['holdfast-shop'], DynamicUser: ['yes'] });
  t.notOk('RuntimeDirectoryPreserve' in dynamic, 'systemd would put a symbolic link in its place');
});

t.test('it is tried again however often it fails, and its time is counted up', async (t) => {
  t.match(service(), {
    StartLimitIntervalSec: ['0'],
    Restart: ['on-failure'],
    TimeoutStartSec: ['60'],
    TimeoutStopSec: ['66'],
  });
});

t.test('sockets of a stop are not kept: the port would be open with nobody behind it', async (t) => {
  t.notOk('FileDescriptorStorePreserve' in service({ systemd: 257 }));
  const room = (instances: number) => Number(service({ instances }).FileDescriptorStoreMax?.[0]);
  t.ok(room(1) >= 64);
  t.ok(room(32) >= 32 * 8, 'all sockets of eight addresses');
});

t.test('only the supervisor speaks to systemd, unless it needs systemd-notify for that', async (t) => {
  t.match(service(), { NotifyAccess: ['main'] });
  t.match(service({ notifiesItself: false }), { NotifyAccess: ['all'] });
});

t.test('the runtime folder is one that its user and root may use, and no other program has', async (t) => {
  t.match(service(), {
    RuntimeDirectory: ['holdfast-shop'],
    RuntimeDirectoryMode: ['0700'],
    Environment: ['NODE_ENV=production', 'HOLDFAST_RUNTIME_DIR=/run/holdfast-shop'],
  });
});

t.test('a working folder that is a link is named by it', async (t) => {
  t.match(service({ workingFolder: '/srv/my shop', pwd: '/srv/my shop' }), {
    WorkingDirectory: ['/srv/my shop'],
    Environment: ['"PWD=/srv/my shop"', /^NODE_ENV/, /^HOLDFAST/],
  });
});

t.test('ports below 1024 are the only right of root that can be had', async (t) => {
  t.match(service(), { CapabilityBoundingSet: [''] });
  t.notOk('AmbientCapabilities' in service());
  t.match(service({ privilegedPorts: true }), {
    CapabilityBoundingSet: ['CAP_NET_BIND_SERVICE'],
    AmbientCapabilities: ['CAP_NET_BIND_SERVICE'],
  });
});

t.test('what the service has to read is not hidden from it', async (t) => {
  t.match(service(), { ProtectHome: ['yes'], PrivateTmp: ['yes'] });
  t.match(service({ readsHome: true }), { ProtectHome: ['read-only'] });
  t.notOk('BindReadOnlyPaths' in service());
  t.match(service({ readsTmp: ['/tmp/shop', '/var/tmp/a:b'] }), {
    PrivateTmp: ['yes'],
    BindReadOnlyPaths: ['/tmp/shop', '"/var/tmp/a:b"'],
  });
  t.match(service({ writable: ['/srv/up loads'] }), { ReadWritePaths: ['"-/srv/up loads"'] });
});

t.test('nothing is in it that stops Node', async (t) => {
  const unit = service();
  t.notOk('MemoryDenyWriteExecute' in unit, 'V8 writes code');
  t.notOk('ProcSubset' in unit, 'os.cpus() reads /proc/stat');
  t.match(unit.RestrictAddressFamilies?.[0], /AF_NETLINK/, 'os.networkInterfaces()');
  t.match(unit.SystemCallFilter?.[0], /@pkey/, 'Node 20');
});

t.test('a socket unit and its service name each other', async (t) => {
  const stream = (address: string) => ({ setting: 'ListenStream', address }) as const;
  const listen = [
    stream('80'),
    stream('/run/100%.sock'),
    { setting: 'ListenDatagram', address: '0.0.0.0:53' } as const,
  ];
  const socket = { name: 'shop', listen, isRoot: false, systemd: 254, header: [] };
  const unit = settings(socketUnit(socket));
  t.match(unit, {
    ListenStream: ['80', '/run/100%%.sock'],
    ListenDatagram: ['0.0.0.0:53'],
    Service: ['shop.service'],
    FileDescriptorName: ['shop'],
  });
  t.notOk('ReusePort' in unit, 'nobody but root could bind a second one');
  t.match(settings(socketUnit({ ...socket, isRoot: true })), { ReusePort: ['yes'] });
  t.match(service({ hasSocket: true }), { Requires: ['shop.socket'], After: [/shop\.socket/], Also: ['shop.socket'] });
});

t.test('the template that is shipped is the one that is made', async (t) => {
  const file = new URL('../../config/systemd/holdfast@.service', import.meta.url);
  t.equal(readFileSync(file, 'utf8'), templateUnit());
  t.match(settings(templateUnit()), {
    ExecStart: ['/usr/bin/env holdfast start /etc/holdfast/%i.yaml --name=%i'],
    RuntimeDirectory: ['holdfast-%i'],
  });
});
