import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { MonotonicMs } from '../../../src/monotonic.js';
import { load, type Native } from '../../../src/native/libc.js';
import type { ReusePortHow } from '../../../src/sockets/bind/bind.js';
import {
  addressKey,
  Custody,
  type CustodyOptions,
  type CustodySocket,
  type Waiting,
} from '../../../src/sockets/custody/custody.js';
import { wrapFd } from '../../../src/sockets/handles/handle.js';
import {
  freePort,
  NO_NATIVE,
  nativeOf,
  openFds,
  request,
  reusePortWays,
  startStranger,
} from '../../fixtures/sockets/support.js';

const native = { ok: true, native: nativeOf() } as const;
const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT } = native.native.constants;
const ways: ReusePortHow[] = [null, ...(await reusePortWays())];

function custodyFor(t: Test, how: ReusePortHow, more: Partial<CustodyOptions> = {}): Custody {
  const custody = new Custody({
    mode: how === null ? 'reuseaddr' : 'reuseport',
    how,
    steered: false,
    native,
    bindTimeoutMs: 0,
    onWaiting: () => t.fail('nobody has to wait here'),
    ...more,
  });
  t.teardown(() => custody.closeAll());
  return custody;
}

/** A clock that stands still but for sleeps, each of which ends when the test says so. */
function testClock() {
  const sleeps: { ms: number; wake(): void }[] = [];
  let nowMs = 1000;
  let slept = () => {};
  return {
    now: () => nowMs as MonotonicMs,
    sleep: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        sleeps.push({ ms, wake: resolve });
        slept();
      }),
    /** Resolves with the length of the next sleep, in milliseconds, once somebody sleeps. */
    async nextSleep(): Promise<{ ms: number; wake(): void }> {
      if (sleeps.length === 0) {
        await new Promise<void>((resolve) => {
          slept = resolve;
        });
      }
      const { ms, wake } = sleeps.shift()!;
      return {
        ms,
        wake: () => {
          nowMs += ms;
          wake();
        },
      };
    },
  };
}

function listen(t: Test, socket: CustodySocket): void {
  t.equal(socket.handle.listen(16), 0, `${socket.key} of slot ${socket.slot} listens`);
}

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

t.test('where connections are steered sockets listen at once, and their order is known', async (t) => {
  const custody = custodyFor(t, 'native', { steered: true });
  const wanted = request('127.0.0.1', await freePort());
  const [a, b, c] = [
    await custody.acquire(2, wanted),
    await custody.acquire(0, wanted),
    await custody.acquire(1, wanted),
  ];
  const other = await custody.acquire(0, request('127.0.0.1', 0));
  t.equal(custody.queue(c)?.length, 0, 'it listens');
  t.same(custody.groups?.list(), [[a, b, c], [other]]);
  custody.release(2, a.key);
  t.same(custody.groups?.list(), [[c, b], [other]], 'the last one takes the place of one that goes, as in the kernel');
  custody.releaseAddress(other.key);
  t.same(custody.groups?.list(), [[c, b]]);
});

t.test('two addresses that come to mean the same are one group', async (t) => {
  const custody = custodyFor(t, 'native', { steered: true });
  const port = await freePort();
  const any = await custody.acquire(0, request(null, port));
  const named = await custody.acquire(0, request(any.host, port));
  t.not(any.key, named.key);
  t.same(custody.groups?.list(), [[any, named]]);
});

t.test('tells in which queues connections wait, and when one comes', async (t) => {
  const custody = custodyFor(t, 'native', { steered: true });
  await custody.acquire(0, request('127.0.0.1', 0));
  const other = await custody.acquire(0, request('127.0.0.1', 0));
  t.same(custody.groups?.readable(), []);
  const came = custody.groups?.wait();
  // It is reset when the socket goes.
  const client = net.connect(other.port, '127.0.0.1').on('error', () => {});
  t.teardown(() => client.destroy());
  t.equal(await came, true);
  t.same(custody.groups?.readable(), [other]);
  custody.releaseAddress(other.key);
  t.same(custody.groups?.readable(), [], 'what is closed is not looked at');
  const waiting = custody.groups?.wait();
  custody.closeAll();
  t.equal(await waiting, false, 'who waits is woken up by the end');
  t.same(custody.list(), []);
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

t.test('looks for strangers on an address that its own ones leave free', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0, 'reuseport');
  for (const how of ways) {
    const custody = custodyFor(t, how);
    listen(t, await custody.acquire(0, request('::', stranger.port, { ipv6Only: true })));
    await t.rejects(custody.acquire(0, request('0.0.0.0', stranger.port)), { code: 'EADDRINUSE' });
    custody.closeAll();
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

t.test('stops waiting when the listener is no longer wanted, and lets the next one in', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  const clock = testClock();
  const custody = custodyFor(t, null, { ...clock, bindTimeoutMs: 60_000, onWaiting: () => {} });
  const wanted = request('127.0.0.1', stranger.port);
  const [one, queued, patient] = [new AbortController(), new AbortController(), new AbortController()];
  const first = custody.acquire(0, wanted, one.signal);
  const second = custody.acquire(1, wanted, queued.signal);
  const third = custody.acquire(2, wanted, patient.signal);
  await clock.nextSleep();
  queued.abort();
  await t.rejects(second, { code: 'ECANCELED' }, 'one that has not had its turn');
  one.abort();
  await t.rejects(first, { name: 'BindError', code: 'ECANCELED', message: /no longer wanted/ });
  const sleep = await clock.nextSleep();
  await stranger.end();
  sleep.wake();
  t.equal((await third).port, stranger.port);
});

t.test('tells what its own sockets refuse, as it was when that was found', async (t) => {
  const custody = custodyFor(t, null);
  const look = await custody.acquire(0, request('127.0.0.1', 0));
  listen(t, look);
  const asked = custody.acquire(0, request('0.0.0.0', look.port));
  // While it is still found out who has the port.
  setImmediate(() => custody.releaseAddress(look.key));
  await t.rejects(asked, { code: 'EADDRINUSE', isOurs: true });
  const stranger = await startStranger(t, '127.0.0.1', 0, 'plain');
  await t.rejects(custody.acquire(0, request('0.0.0.0', stranger.port)), { code: 'EADDRINUSE', isOurs: false });
});

t.test('binds nothing for a listener that is not wanted from the start', async (t) => {
  const custody = custodyFor(t, null);
  await t.rejects(custody.acquire(0, request('127.0.0.1', 0), AbortSignal.abort()), { code: 'ECANCELED' });
  t.same(custody.list(), []);
});

t.test('closes everything for good', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  const clock = testClock();
  const custody = custodyFor(t, null, { ...clock, bindTimeoutMs: 60_000, onWaiting: () => {} });
  const before = openFds();
  await custody.acquire(0, request('127.0.0.1', 0));
  const waiting = custody.acquire(0, request('127.0.0.1', stranger.port));
  await clock.nextSleep();
  custody.closeAll();
  await t.rejects(waiting, { code: 'ECANCELED' });
  await t.rejects(custody.acquire(0, request('127.0.0.1', 0)), { code: 'ECANCELED' });
  t.same(custody.list(), []);
  t.equal(openFds(), before);
});

t.test('does not wait where waiting cannot help', async (t) => {
  const custody = custodyFor(t, null, { bindTimeoutMs: 60_000 });
  await t.rejects(custody.acquire(0, request('203.0.113.9', 80)), { code: 'EADDRNOTAVAIL' });
});

t.test('waits by the real clock as well', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  const custody = custodyFor(t, null, { bindTimeoutMs: 60_000, onWaiting: () => void stranger.end() });
  t.equal((await custody.acquire(0, request('127.0.0.1', stranger.port))).port, stranger.port);
});

t.test('does not tell the queue without libc', async (t) => {
  const custody = custodyFor(t, null, { native: NO_NATIVE });
  const socket = await custody.acquire(0, request('127.0.0.1', 0));
  listen(t, socket);
  t.equal(custody.queue(socket), null);
});

t.test('sockets that are taken over join their groups in the order that they had', async (t) => {
  if (!ways.includes('native')) return;
  const { native: libc } = native;
  const port = await freePort();
  const bind = () => {
    const fd = libc.openTcpSocket(4, { reusePort: true });
    const handle = wrapFd(fd);
    handle.bind('127.0.0.1', port);
    libc.listen(fd, 511);
    return { handle, host: '127.0.0.1', port, family: 4 as const, ipv6Only: false };
  };
  const key = `127.0.0.1:${port}`;
  const custody = custodyFor(t, 'native', { steered: true });
  const bound = [bind(), bind(), bind()];
  const [second, first, fourth] = bound.map((one, slot) => custody.takeOver(one, key, slot)) as CustodySocket[];
  t.same(custody.groups?.list(), [], 'not before all are there');
  // The third has gone since: the last took its index.
  const before = new Map([
    [second, 1],
    [first, 0],
    [fourth, 3],
  ]);
  t.same(
    custody.joinTaken((socket) => before.get(socket) ?? null),
    [],
  );
  t.same(custody.groups?.list(), [[first, second, fourth]]);
  t.equal(custody.takeOver(bind(), key, 1), null, 'one that is there already is closed');
  t.equal(custody.find(1, key), first);
});

t.test('an address of which the order is not known is not steered, whatever comes', async (t) => {
  if (!ways.includes('native')) return;
  const port = await freePort();
  const { native: libc } = native;
  const custody = custodyFor(t, 'native', { steered: true });
  const take = (slot: number) => {
    const fd = libc.openTcpSocket(4, { reusePort: true });
    const handle = wrapFd(fd);
    handle.bind('127.0.0.1', port);
    libc.listen(fd, 511);
    return custody.takeOver(
      { handle, host: '127.0.0.1', port, family: 4, ipv6Only: false },
      addressKey(request('127.0.0.1', port)),
      slot,
    );
  };
  const [one, other] = [take(0), take(1)];
  const order = (socket: CustodySocket) => (socket === one ? 0 : null);
  t.same(custody.joinTaken(order), [`127.0.0.1:${port}`]);
  t.same(custody.groups?.list(), []);
  t.ok(other);
  await custody.acquire(2, request('127.0.0.1', port));
  t.same(custody.groups?.list(), [], 'its index would be a wrong one');
});

t.test('where all slots share a socket the first that is taken over is kept', async (t) => {
  const custody = custodyFor(t, null);
  const port = await freePort();
  const bound = await custodyFor(t, null).acquire(0, request('127.0.0.1', port));
  const key = addressKey(request('127.0.0.1', port));
  const taken = custody.takeOver(bound, key, 3);
  t.match(taken, { slot: null, key });
  t.equal(await custody.acquire(1, request('127.0.0.1', port)), taken);
  t.same(
    custody.joinTaken(() => null),
    [],
  );
});
