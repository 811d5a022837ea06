import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import t from 'tap';
import { load, loadNative, type Native, NativeError } from '../../src/native/libc.js';
import { wrapFd } from '../../src/sockets/handles/handle.js';
import { nativeOf, openFds } from '../fixtures/sockets/support.js';
import { freePort } from '../support/ports.js';

const native = nativeOf();
const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT, SOCK_CLOEXEC, SOCK_NONBLOCK } = native.constants;

function variant(change: Partial<Native['constants']>): Native {
  return nativeOf(load({ ...native.constants, ...change }, 'koffi'));
}

/** Flags of an open file, as open(2) counts them. */
function fileFlags(fd: number): number {
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))!;
  return Number.parseInt(flags!, 8);
}

t.test('opens sockets of both families with the options that are asked for', async (t) => {
  for (const family of [4, 6] as const) {
    for (const reusePort of [true, false]) {
      const fd = native.openTcpSocket(family, { reusePort });
      t.equal(native.getSockOptInt(fd, SOL_SOCKET, SO_REUSEADDR), 1, 'SO_REUSEADDR');
      t.equal(native.getSockOptInt(fd, SOL_SOCKET, SO_REUSEPORT), reusePort ? 1 : 0, 'SO_REUSEPORT');
      native.close(fd);
    }
  }
});

t.test(
  'opens sockets that do not block and that no program inherits, with and without flags of socket(2)',
  async (t) => {
    for (const libc of [native, variant({ SOCK_CLOEXEC: 0, SOCK_NONBLOCK: 0 })]) {
      const fd = libc.openTcpSocket(4, { reusePort: false });
      // Linux shows both by the numbers of socket(2).
      t.equal(fileFlags(fd) & SOCK_CLOEXEC, SOCK_CLOEXEC, 'close-on-exec');
      t.equal(fileFlags(fd) & SOCK_NONBLOCK, SOCK_NONBLOCK, 'non-blocking');
      libc.close(fd);
    }
  },
);

t.test('names the errno of a call that fails', async (t) => {
  t.throws(() => variant({ AF_INET: 9999 }).openTcpSocket(4, { reusePort: true }), {
    name: 'NativeError',
    code: 'EAFNOSUPPORT',
    errno: -97,
    syscall: 'socket',
    message: 'cannot open a socket: socket failed with EAFNOSUPPORT',
  });
  t.throws(() => native.getSockOptInt(-1, SOL_SOCKET, SO_REUSEADDR), { code: 'EBADF', errno: -9 });
  t.throws(() => native.close(-1), { code: 'EBADF', syscall: 'close' });
});

t.test('leaves nothing open when an option cannot be set', async (t) => {
  const broken = variant({ SO_REUSEPORT: 9999 });
  const before = openFds();
  t.throws(() => broken.openTcpSocket(4, { reusePort: true }), NativeError);
  t.equal(openFds(), before);
});

t.test('reads the queue of a socket that listens, and of no other', async (t) => {
  const fd = native.openTcpSocket(4, { reusePort: false });
  const handle = wrapFd(fd);
  t.teardown(() => handle.close());
  t.equal(handle.bind('127.0.0.1', 0), 0);
  t.equal(native.tcpListenQueue(fd), null, 'bound only');
  t.equal(handle.listen(7), 0);
  t.same(native.tcpListenQueue(fd), { length: 0, limit: 7 });
  t.equal(native.tcpListenQueue(-1), null, 'no socket at all');
  t.equal(variant({ tcpInfo: null }).tcpListenQueue(fd), null, 'a system that does not tell');
});

t.test('binds without an option: what TIME_WAIT and others hold is refused, and nothing stays open', async (t) => {
  const server = net.createServer({ allowHalfOpen: true });
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const before = openFds();
  t.throws(() => native.bindWithoutOptions(port), { code: 'EADDRINUSE', syscall: 'bind' }, 'somebody listens');
  t.equal(openFds(), before);

  const client = net.connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  // The side that closes first keeps the TIME_WAIT.
  accepted.end();
  await once(client.resume(), 'close');
  accepted.destroy();
  server.close();
  await once(server, 'close');
  t.throws(() => native.bindWithoutOptions(port), { code: 'EADDRINUSE', syscall: 'bind' }, 'TIME_WAIT');

  const other = await freePort();
  native.bindWithoutOptions(other);
  native.bindWithoutOptions(other);
});

t.test(
  'begins a connection without waiting for who accepts it; one that cannot be is refused or never comes',
  async (t) => {
    const server = net.createServer((socket) => socket.destroy());
    t.teardown(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as net.AddressInfo;
    const before = openFds();
    const fd = native.connectLoopback(port);
    await once(server, 'connection');
    native.close(fd);
    server.close();
    await once(server, 'close');
    try {
      native.close(native.connectLoopback(port));
    } catch (error) {
      t.match(error, { code: 'ECONNREFUSED', syscall: 'connect' }, 'where the system tells at once');
    }
    t.equal(openFds(), before - 1, 'nothing stays open');
  },
);

t.test('takes the exit status of one child, never of any', async (t) => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  t.equal(native.reap(child.pid!), false, 'it runs');
  for (const pid of [-1, 0, -child.pid!, 1.5, Number.NaN]) {
    t.throws(() => native.reap(pid), { code: 'EINVAL', syscall: 'waitpid' }, String(pid));
  }
  t.throws(
    () => native.reap(process.ppid),
    { name: 'NativeError', errno: -os.constants.errno.ECHILD },
    'no child of this process',
  );
  child.stdin.end();
  t.same(await exited, [0, null], 'Node hears of it as ever');
});

t.test('loads once', async (t) => {
  t.equal(loadNative(), loadNative());
});

t.test('says why it cannot be loaded', async (t) => {
  t.match(load(native.constants, 'koffi-that-nobody-installed'), {
    ok: false,
    reason: /^koffi-that-nobody-installed cannot be loaded: Cannot find module '[^\n]*$/,
  });
  t.match(load(undefined, 'koffi'), { ok: false, reason: /^the socket options of .* are not known$/ });
});
