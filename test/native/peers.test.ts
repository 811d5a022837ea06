import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { wrapFd } from '../../src/sockets/handles/handle.js';
import { nativeOf } from '../fixtures/sockets/support.js';

const native = nativeOf();
const peers = native.peers();
const skip = peers === null;

t.test('who has connected is told by the kernel', { skip }, async (t) => {
  if (peers === null) return;
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const server = net.createServer({ pauseOnConnect: true }).listen(path.join(dir, 's'));
  t.teardown(() => server.close());
  await once(server, 'listening');
  const script = `require('node:net').connect(${JSON.stringify(path.join(dir, 's'))})`;
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore', env: {} });
  t.teardown(() => child.kill('SIGKILL'));
  const [socket] = (await once(server, 'connection')) as [net.Socket & { _handle: { fd: number } }];
  t.same(peers.peerOf(socket._handle.fd), { pid: child.pid, uid: process.getuid?.() });
  socket.destroy();
  t.throws(() => peers.peerOf(0x7fff), { code: 'EBADF' });
});

t.test('a socket is known again by its cookie, whatever its descriptor', { skip }, async (t) => {
  if (peers === null) return;
  const [one, other] = [native.openTcpSocket(4, { reusePort: false }), native.openTcpSocket(4, { reusePort: false })];
  const same = native.duplicate(one);
  t.match(peers.socketCookie(one), /^[1-9]\d*$/);
  t.equal(peers.socketCookie(same), peers.socketCookie(one));
  t.not(peers.socketCookie(other), peers.socketCookie(one));
  for (const fd of [one, other, same]) native.close(fd);
});

t.test('a descriptor of another process can be had, where that may be looked into', { skip }, async (t) => {
  if (peers === null) return;
  const script = `const s = require('node:net').createServer().listen(0, '127.0.0.1', () => console.log(s._handle.fd, s.address().port)); process.stdin.resume()`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'], env: {} });
  t.teardown(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const [fd = 0, port = 0] = String(said).split(' ').map(Number);
  const handle = wrapFd(peers.takeDescriptor(child.pid ?? 0, fd));
  const name: Partial<net.AddressInfo> = {};
  handle.getsockname(name);
  t.equal(name.port, port);
  handle.close();
  t.throws(() => peers.takeDescriptor(child.pid ?? 0, 0x7fff), { code: 'EBADF' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.throws(() => peers.takeDescriptor(child.pid ?? 0, fd), { code: 'ESRCH' });
});
