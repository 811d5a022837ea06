import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { bindSocket } from '../../src/sockets/bind/bind.js';
import { nativeOf, openFds, request } from '../fixtures/sockets/support.js';

const native = nativeOf();

/** A socket that listens and on which nobody accepts. */
function listening(t: Test) {
  const bound = bindSocket(request('127.0.0.1', 0), 'native', { ok: true, native });
  native.listen(bound.handle.fd, 16);
  t.teardown(() => bound.handle.close());
  return { fd: bound.handle.fd, port: bound.port };
}

async function connect(t: Test, port: number): Promise<void> {
  const client = net.connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  await once(client, 'connect');
}

t.test('tells the sockets that have connections waiting, and no others', async (t) => {
  const watch = native.openQueueWatch();
  t.teardown(() => watch.close());
  const [one, two, three] = [listening(t), listening(t), listening(t)];
  for (const { fd } of [one, two, three]) watch.add(fd);
  t.same(watch.ready(), []);
  await connect(t, one.port);
  await connect(t, three.port);
  t.same(new Set(watch.ready()), new Set([one.fd, three.fd]));
  t.same(new Set(watch.ready()), new Set([one.fd, three.fd]), 'for as long as they wait');
  watch.remove(one.fd);
  t.same(watch.ready(), [three.fd]);
});

t.test('wakes up for a connection, also on a socket that was added meanwhile', async (t) => {
  const watch = native.openQueueWatch();
  t.teardown(() => watch.close());
  const came = watch.wait();
  const late = listening(t);
  watch.add(late.fd);
  await connect(t, late.port);
  t.equal(await came, true);
});

t.test('a wait without a connection comes to an end', async (t) => {
  const watch = native.openQueueWatch();
  t.equal(await watch.wait(), false);
  const waiting = watch.wait();
  watch.close();
  t.equal(await waiting, false);
});

t.test('closes what it has opened, whether somebody waits or not', async (t) => {
  // Its threads are started by the first wait, and stay.
  const first = native.openQueueWatch();
  const waited = first.wait();
  first.close();
  await waited;
  const before = openFds();
  native.openQueueWatch().close();
  const watch = native.openQueueWatch();
  const waiting = watch.wait();
  watch.close();
  await waiting;
  t.equal(openFds(), before);
});

t.test('a second close closes nothing that somebody else may have opened meanwhile', async (t) => {
  const watch = native.openQueueWatch();
  const waiting = watch.wait();
  watch.close();
  await waiting;
  // The numbers are free again: whoever opens next gets them.
  const others = [native.openTcpSocket(4, { reusePort: false }), native.openTcpSocket(4, { reusePort: false })];
  watch.close();
  for (const fd of others) t.doesNotThrow(() => native.close(fd));
});

t.test('refuses what is no socket', async (t) => {
  const watch = native.openQueueWatch();
  t.teardown(() => watch.close());
  t.throws(() => watch.add(-1), { code: 'EBADF', syscall: 'epoll_ctl' });
});
