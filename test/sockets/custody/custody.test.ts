import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { load, type Native } from '../../../src/native/libc.js';
import type { Waiting } from '../../../src/sockets/custody/custody.js';
import { NO_NATIVE, nativeOf, openFds, request, startStranger } from '../../fixtures/sockets/support.js';
import { freePort } from '../../support/ports.js';
import {
  custodyFor,
  listen,
  native,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  testClock,
  ways,
} from '../support/custody.js';

for (const how of ways.filter((way) => way !== null)) {
  t.test(`gives every slot a socket of its own on the same port (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const port = await freePort();
    const first = await custody.acquire(0, request('127.0.0.1', port));
    const second = await custody.acquire(1, request('127.0.0.1', port));
    t.not(first, second);
    t.match(
      [first, second],
      [
        { slot: 0, port, key: `127.0.0.1:${port}` },
        { slot: 1, port },
      ],
    );
    listen(t, first);
    listen(t, second);
    t.equal(await custody.acquire(1, request('127.0.0.1', port)), second, 'a later worker of the slot');
    t.same(custody.list(), [first, second]);
    t.ok(first.order < second.order);
  });

  t.test(`binds the port that the first slot got for all others (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const wanted = request(null, 0);
    const [first, second] = await Promise.all([custody.acquire(0, wanted), custody.acquire(1, wanted)]);
    const other = await custody.acquire(0, request(null, 0, { ordinal: 1 }));
    t.match(first, { key: '*:0#0', host: '::' });
    t.match(second, { key: '*:0#0', host: '::', port: first.port });
    t.not(other.port, first.port);
    listen(t, first);
    listen(t, second);
    listen(t, other);
  });

  t.test(`refuses an address on which a stranger listens with SO_REUSEPORT (${how})`, async (t) => {
    const stranger = await startStranger(t, '0.0.0.0', 0, 'reuseport');
    const custody = custodyFor(t, how);
    for (const host of ['127.0.0.1', '0.0.0.0', '::', null]) {
      await t.rejects(custody.acquire(0, request(host, stranger.port)), {
        code: 'EADDRINUSE',
        message: new RegExp(`: EADDRINUSE, already in use by PID ${stranger.pid} \\(`),
      });
    }
    t.same(custody.list(), []);
  });

  t.test(`adds a slot while the others listen, and again after one was released (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const wanted = request('127.0.0.1', await freePort());
    for (const slot of [0, 1]) listen(t, await custody.acquire(slot, wanted));
    const { key } = custody.find(0, `127.0.0.1:${wanted.port}`)!;
    custody.release(0, key);
    t.equal(custody.find(0, key), undefined);
    t.ok(custody.find(1, key));
    listen(t, await custody.acquire(0, wanted));
    t.equal(custody.list().length, 2);
  });

  t.test(`takes an address that overlaps with its own, as a reload may bring about (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const port = await freePort();
    listen(t, await custody.acquire(0, request('0.0.0.0', port)));
    listen(t, await custody.acquire(0, request(null, port)));
    t.equal(custody.list().length, 2);
  });
}

t.test('takes IPv4 in all slots where "any" came to mean IPv4 in the first', async (t) => {
  let withIpv6 = false;
  const withoutIpv6 = nativeOf(load({ ...native.native.constants, AF_INET6: 9999 }, 'koffi'));
  const openTcpSocket: Native['openTcpSocket'] = (family, options) =>
    (withIpv6 ? native.native : withoutIpv6).openTcpSocket(family, options);
  const custody = custodyFor(t, 'native', { native: { ok: true, native: { ...native.native, openTcpSocket } } });
  const first = await custody.acquire(0, request(null, 0));
  t.match(first, { host: '0.0.0.0', family: 4 });
  withIpv6 = true;
  t.match(await custody.acquire(1, request(null, 0)), { host: '0.0.0.0', family: 4, port: first.port });
});

t.test('has one socket for all slots in reuseaddr mode', async (t) => {
  const custody = custodyFor(t, null, { native: NO_NATIVE });
  const wanted = request('127.0.0.1', 0);
  const first = await custody.acquire(0, wanted);
  t.equal(await custody.acquire(1, wanted), first);
  t.equal(first.slot, null);
  t.equal(custody.find(5, first.key), first);
  t.equal(custody.find(null, first.key), first);
  custody.release(0, first.key);
  t.equal(custody.find(0, first.key), first, 'a slot cannot take it from the others');
  custody.release(null, first.key);
  t.equal(custody.find(0, first.key), undefined);
});

for (const how of ways) {
  t.test(`sets SO_REUSEADDR on every socket, SO_REUSEPORT in reuseport mode only (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    for (const slot of [0, 1]) {
      const { handle } = await custody.acquire(slot, request('127.0.0.1', 0));
      t.equal(native.native.getSockOptInt(handle.fd, SOL_SOCKET, SO_REUSEADDR), 1);
      t.equal(native.native.getSockOptInt(handle.fd, SOL_SOCKET, SO_REUSEPORT), how === null ? 0 : 1);
    }
  });

  t.test(`gives the same socket to all who ask at once (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const wanted = request('127.0.0.1', await freePort());
    const sockets = await Promise.all([1, 2, 3].map(() => custody.acquire(0, wanted)));
    t.equal(new Set(sockets).size, 1);
    t.equal(custody.list().length, 1);
  });

  t.test(`names who holds the address, and leaves nothing behind (${how})`, async (t) => {
    const stranger = await startStranger(t, '127.0.0.1', 0);
    const custody = custodyFor(t, how);
    const before = openFds();
    await t.rejects(custody.acquire(0, request('127.0.0.1', stranger.port)), {
      name: 'BindError',
      code: 'EADDRINUSE',
      errno: -98,
      message: new RegExp(
        `^cannot listen on 127\\.0\\.0\\.1:${stranger.port}: EADDRINUSE, already in use by PID ${stranger.pid} \\(.*stranger`,
      ),
      hint: /--bind-timeout/,
    });
    t.equal(openFds(), before);
    t.same(custody.list(), []);
  });

  t.test(`waits for an address until its owner goes away (${how})`, async (t) => {
    const stranger = await startStranger(t, '127.0.0.1', 0);
    const clock = testClock();
    const told: Waiting[] = [];
    const custody = custodyFor(t, how, { ...clock, bindTimeoutMs: 60_000, onWaiting: (info) => told.push(info) });
    const acquired = custody.acquire(0, request('127.0.0.1', stranger.port));
    const first = await clock.nextSleep();
    t.equal(first.ms, 250);
    t.match(told, [
      {
        key: `127.0.0.1:${stranger.port}`,
        address: `127.0.0.1:${stranger.port}`,
        owner: { pid: stranger.pid },
        untilMs: 61_000,
      },
    ]);
    first.wake();
    const second = await clock.nextSleep();
    await stranger.end();
    second.wake();
    const socket = await acquired;
    t.equal(socket.port, stranger.port);
    listen(t, socket);
    t.equal(told.length, 1, 'told once');
  });

  t.test(`gives up when the time is over, for all who wait (${how})`, async (t) => {
    const stranger = await startStranger(t, '127.0.0.1', 0);
    const clock = testClock();
    const custody = custodyFor(t, how, { ...clock, bindTimeoutMs: 300, onWaiting: () => {} });
    const wanted = request('127.0.0.1', stranger.port);
    const both = Promise.allSettled([custody.acquire(0, wanted), custody.acquire(1, wanted)]);
    const sleeps: number[] = [];
    for (let count = 0; count < 2; count += 1) {
      const sleep = await clock.nextSleep();
      sleeps.push(sleep.ms);
      sleep.wake();
    }
    t.same(sleeps, [250, 50], 'the last try is at the end of the time');
    const reason = { code: 'EADDRINUSE', message: new RegExp(`PID ${stranger.pid} `) };
    t.match(await both, [
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    t.same(custody.list(), []);
  });

  t.test(`takes and gives back sockets without leaking file descriptors (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const wanted = request('127.0.0.1', await freePort());
    const before = openFds();
    for (let round = 0; round < 200; round += 1) {
      const { key } = await custody.acquire(0, wanted);
      await custody.acquire(1, wanted);
      custody.releaseAddress(key);
    }
    t.equal(openFds(), before);
  });

  t.test(`keeps the queue of a socket whose worker accepts nothing, and reads its length (${how})`, async (t) => {
    const custody = custodyFor(t, how);
    const socket = await custody.acquire(0, request('127.0.0.1', 0));
    t.equal(custody.queue(socket), null, 'nobody has listened');
    const worker = fork(fileURLToPath(new URL('../../fixtures/sockets/stuck-worker.js', import.meta.url)), {
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const exited = once(worker, 'exit');
    t.teardown(async () => {
      worker.kill('SIGKILL');
      await exited;
    });
    worker.send('listen', socket.handle as never);
    t.same(await once(worker, 'message').then(([message]) => message), { errno: 0 });
    t.equal(custody.queue(socket)?.length, 0);
    for (let count = 1; count <= 3; count += 1) {
      const client = net.connect(socket.port, '127.0.0.1');
      t.teardown(() => client.destroy());
      await once(client, 'connect');
      t.equal(custody.queue(socket)?.length, count);
    }
    worker.kill('SIGKILL');
    await exited;
    t.equal(custody.queue(socket)?.length, 3, 'the worker is gone, its queue is not');
  });
}

t.test('two addresses that come to mean the same are one group', async (t) => {
  const custody = custodyFor(t, 'native', { steered: true });
  const port = await freePort();
  const any = await custody.acquire(0, request(null, port));
  const named = await custody.acquire(0, request(any.host, port));
  t.not(any.key, named.key);
  t.same(custody.groups?.list(), [[any, named]]);
});

t.test('binds IPv6 only beside IPv4 on the same port', async (t) => {
  for (const how of ways) {
    const custody = custodyFor(t, how);
    const port = await freePort();
    const v6 = await custody.acquire(0, request('::', port, { ipv6Only: true }));
    listen(t, v6);
    t.equal(v6.key, `[::]:${port},v6only`);
    listen(t, await custody.acquire(0, request('0.0.0.0', port)));
  }
});

t.test('serves both families from :: unless it is IPv6 only', async (t) => {
  const custody = custodyFor(t, null);
  const { handle, port } = await custody.acquire(0, request('::', 0));
  let accepted = 0;
  handle.onconnection = (_status, client) => {
    accepted += 1;
    client?.close();
  };
  t.equal(handle.listen(16), 0);
  for (const host of ['127.0.0.1', '::1']) {
    const client = net.connect(port, host).resume();
    await once(client, 'close');
  }
  t.equal(accepted, 2);
});
