import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { load } from '../../../src/native/libc.js';
import type { AddressRequest } from '../../../src/protocol/worker.js';
import { type BoundSocket, bindSocket, isAddressFree, type ReusePortHow } from '../../../src/sockets/bind/bind.js';
import { BindError } from '../../../src/sockets/bind/bind-error.js';
import { NO_NATIVE, nativeOf, openFds, request, reusePortWays } from '../../fixtures/sockets/support.js';
import { freePort } from '../../support/ports.js';

const native = nativeOf();
const loaded = { ok: true, native } as const;
const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT } = native.constants;
const reusePort = await reusePortWays();
const ways: ReusePortHow[] = [null, ...reusePort];

function bind(t: Test, address: AddressRequest, how: ReusePortHow): BoundSocket {
  const socket = bindSocket(address, how, loaded);
  t.teardown(() => socket.handle.close());
  return socket;
}

function option(socket: BoundSocket, name: number): number {
  return native.getSockOptInt(socket.handle.fd, SOL_SOCKET, name);
}

t.test('sets SO_REUSEADDR on every socket, SO_REUSEPORT on those of that mode only', async (t) => {
  for (const how of ways) {
    for (const host of ['127.0.0.1', '::1', null]) {
      const socket = bind(t, request(host, 0), how);
      t.equal(option(socket, SO_REUSEADDR), 1, `SO_REUSEADDR, ${how} on ${host}`);
      t.equal(option(socket, SO_REUSEPORT), how === null ? 0 : 1, `SO_REUSEPORT, ${how} on ${host}`);
    }
  }
});

t.test('tells where it is really bound', async (t) => {
  for (const how of ways) {
    const port = await freePort();
    t.match(bind(t, request('127.0.0.1', port), how), { host: '127.0.0.1', port, family: 4, ipv6Only: false });
    const any = bind(t, request(null, 0), how);
    const name: Partial<AddressInfo> = {};
    t.equal(any.handle.getsockname(name), 0);
    t.match(any, { host: '::', port: name.port, family: 6, ipv6Only: false });
    t.not(any.port, 0);
  }
});

t.test('shares a port between sockets that set SO_REUSEPORT, in every way', async (t) => {
  for (const how of reusePort) {
    const first = bind(t, request('127.0.0.1', 0), how);
    t.equal(first.handle.listen(16), 0);
    for (const other of reusePort) {
      const next = bind(t, request('127.0.0.1', first.port), other);
      t.equal(next.handle.listen(16), 0, `${other} beside ${how}`);
    }
  }
});

t.test('leaves the IPv4 side of :: to others when it is IPv6 only, and takes it otherwise', async (t) => {
  for (const how of ways) {
    const v6 = bind(t, request('::', 0, { ipv6Only: true }), how);
    t.equal(v6.ipv6Only, true);
    t.equal(v6.handle.listen(16), 0);
    t.equal(isAddressFree(request('127.0.0.1', v6.port)), true, `${how}, IPv6 only`);
    const both = bind(t, request('::', 0), how);
    t.equal(both.handle.listen(16), 0);
    t.equal(isAddressFree(request('127.0.0.1', both.port)), false, `${how}, both families`);
  }
});

t.test('tells of a port in use at once, though libuv keeps it back', async (t) => {
  const taken = bind(t, request('127.0.0.1', 0), null);
  t.equal(taken.handle.listen(16), 0);
  for (const how of ways) {
    t.throws(() => bindSocket(request('127.0.0.1', taken.port), how, loaded), {
      name: 'BindError',
      code: 'EADDRINUSE',
      errno: -98,
      message: `cannot listen on 127.0.0.1:${taken.port}: EADDRINUSE (address already in use)`,
      hint: /--bind-timeout/,
    });
  }
});

t.test('takes IPv4 for "any" where IPv6 cannot be had', async (t) => {
  const withoutIpv6 = load({ ...native.constants, AF_INET6: 9999 }, 'koffi');
  const socket = bindSocket(request(null, 0), 'native', withoutIpv6);
  t.teardown(() => socket.handle.close());
  t.match(socket, { host: '0.0.0.0', family: 4 });
});

t.test('does not take the IPv4 half of "any" when the IPv6 half is in use', async (t) => {
  const stranger = bind(t, request('::', 0, { ipv6Only: true }), null);
  t.equal(stranger.handle.listen(16), 0);
  t.throws(() => bindSocket(request(null, stranger.port), null, loaded), { code: 'EADDRINUSE' });
});

t.test('reports an address of another machine, and leaves nothing open', async (t) => {
  for (const how of ways) {
    const before = openFds();
    t.throws(() => bindSocket(request('203.0.113.9', 0), how, loaded), {
      code: 'EADDRNOTAVAIL',
      errno: -99,
      message: 'cannot listen on 203.0.113.9:0: EADDRNOTAVAIL (address not available)',
      hint: /address of this machine/,
    });
    t.equal(openFds(), before, `${how}`);
  }
});

t.test('leaves nothing open when binding fails, however often', async (t) => {
  const taken = bind(t, request('127.0.0.1', 0), null);
  taken.handle.listen(16);
  const before = openFds();
  for (const how of ways) {
    for (let count = 0; count < 50; count += 1) {
      t.throws(() => bindSocket(request('127.0.0.1', taken.port), how, loaded), BindError);
    }
  }
  t.equal(openFds(), before);
});

t.test('reports a fault of libc as one of binding', async (t) => {
  const broken = load({ ...native.constants, SO_REUSEPORT: 9999 }, 'koffi');
  t.throws(() => bindSocket(request('127.0.0.1', 80), 'native', broken), {
    name: 'BindError',
    code: 'ENOPROTOOPT',
    message: 'cannot listen on 127.0.0.1:80: ENOPROTOOPT (protocol not available)',
    cause: { syscall: 'setsockopt' },
  });
  t.throws(() => bindSocket(request('127.0.0.1', 80), 'native', NO_NATIVE), {
    code: 'ENOTSUP',
    message: 'cannot listen on 127.0.0.1:80: SO_REUSEPORT needs a call to libc, and koffi is not there',
  });
});

t.test('closes what libc has opened when Node does not take it over', async (t) => {
  const closed: number[] = [];
  // A file descriptor that is no socket.
  const odd = { ...native, openTcpSocket: () => -1, close: (fd: number) => void closed.push(fd) };
  t.throws(() => bindSocket(request('127.0.0.1', 0), 'native', { ok: true, native: odd }));
  t.same(closed, [-1]);
});

t.test('finds an address taken by whoever listens on it or on one that overlaps', async (t) => {
  const targets = ['127.0.0.1', '0.0.0.0', '::1', '::', null];
  const taken: Record<string, (string | null)[]> = {
    '127.0.0.1': ['127.0.0.1', '0.0.0.0', '::', null],
    '0.0.0.0': ['127.0.0.1', '0.0.0.0', '::', null],
    '::1': ['::1', '::', null],
    '::': targets,
  };
  for (const [host, expected] of Object.entries(taken)) {
    for (const how of ways) {
      const stranger = bind(t, request(host, 0), how);
      t.equal(stranger.handle.listen(16), 0);
      for (const target of targets) {
        const free = isAddressFree(request(target, stranger.port));
        t.equal(free, !expected.includes(target), `${target} beside a stranger on ${host}, ${how}`);
      }
    }
  }
});

t.test('does not see a socket that is bound and does not listen yet', async (t) => {
  for (const how of ways) {
    const socket = bind(t, request('127.0.0.1', 0), how);
    t.equal(isAddressFree(request('127.0.0.1', socket.port)), true, `${how}`);
  }
});

t.test('leaves no socket behind when it looks whether an address is free', async (t) => {
  const port = await freePort();
  const before = openFds();
  for (let count = 0; count < 20; count += 1) t.equal(isAddressFree(request('127.0.0.1', port)), true);
  t.equal(openFds(), before);
  t.equal(bind(t, request('127.0.0.1', port), null).handle.listen(16), 0);
});

t.test('does not call an address free that cannot be bound at all', async (t) => {
  t.throws(() => isAddressFree(request('203.0.113.9', 80)), { code: 'EADDRNOTAVAIL' });
});

t.test('words what a person needs for the usual faults', async (t) => {
  const at = { host: '0.0.0.0', port: 80 };
  const owner = { pid: 123, uid: 1000, command: 'node app.js', address: '0.0.0.0:80' };
  const table: [BindError, string, RegExp | undefined][] = [
    [new BindError(at, -13), 'EACCES (permission denied)', /port above 1023 .* CAP_NET_BIND_SERVICE/],
    [new BindError({ ...at, port: 8080 }, -13), 'EACCES (permission denied)', /security policy/],
    [new BindError(at, -24), 'EMFILE (too many open files)', /LimitNOFILE/],
    [new BindError(at, -22), 'EINVAL (invalid argument)', undefined],
    [new BindError(at, -98, { owner }), 'EADDRINUSE, already in use by PID 123 (node app.js)', /--bind-timeout/],
    [
      new BindError(at, -98, { owner: { ...owner, command: null } }),
      'EADDRINUSE, already in use by PID 123',
      /--bind-timeout/,
    ],
    [
      new BindError(at, -98, { owner: { ...owner, pid: null } }),
      'EADDRINUSE, already in use by a process of user 1000',
      /stop/,
    ],
    [new BindError(at, -98, { owner: null }), 'EADDRINUSE (address already in use)', /--bind-timeout/],
  ];
  for (const [error, reason, hint] of table) {
    t.equal(error.message.replace(/^cannot listen on 0\.0\.0\.0:\d+: /, ''), reason);
    t.match(error, { hint, exitCode: 1 }, reason);
  }
});
