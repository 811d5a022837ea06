import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { json, text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/api/client.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { blockOne } from './support/block.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { Load } from './support/load.js';
import { get, overHttp2, portsIn, serversEnv } from './support/servers.js';
import { acceptedBy, listeners } from './support/tcp-state.js';

const moody = path.join(apps, 'moody.cjs');
const busy = path.join(apps, 'busy.cjs');
/** Between two looks at what takes seconds: without, test and supervisor would take a processor each. */
const LOOK_MS = 20;

t.test('a blocked worker gets no new connection, and what waited in its queue is served by others', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, moody, { args: ['-i', '4', '--log-level', 'debug'], env: { PORT: String(port) } });
  await holdfast.message('started');
  const until = path.join(holdfast.runtimeDir, 'go-on');
  const { slot, answered } = await blockOne(port, until);
  // All of them are answered while it is blocked: also those that the kernel had given to it.
  for (let round = 0; round < 10; round++) {
    const answers = (await Promise.all(Array.from({ length: 20 }, () => ask(port)))) as { slot: number }[];
    t.notOk(answers.some((answer) => answer.slot === slot));
  }
  t.equal(await weightOf(holdfast, slot), 0);
  t.ok(holdfast.lines('socket adopted').length >= 1, 'its queue had been adopted');
  writeFileSync(until, '');
  await answered;
  while ((await weightOf(holdfast, slot)) === 0) await ask(port);
  await answersFrom(port, slot);
  t.pass('afterwards it gets connections again');
});

t.test('servers of every kind are served by a sibling while their worker is blocked', async (t) => {
  const dir = makeRuntimeDir(t);
  const holdfast = new Holdfast(t, path.join(apps, 'servers.cjs'), {
    args: ['-i', '2', '--ready', 'message', '--listen-mode', 'reuseport'],
    env: serversEnv(dir, await freePort()),
  });
  await holdfast.message('started');
  const [ports] = await portsIn(holdfast, 1);
  if (ports === undefined) throw new Error('no ports');
  const until = path.join(dir, 'go-on');
  const { slot, answered } = await blockOne(ports.http, until);
  answered.catch(() => {}); // no JSON
  const other = `slot ${1 - slot}`;
  const host = '127.0.0.1';
  const kinds = {
    http: () => get(http, { port: ports.http, host }),
    any: () => get(http, { port: ports.any, host: '::1' }),
    v6only: () => get(http, { port: ports.v6only, host: '::1' }),
    https: () => get(https, { port: ports.https, host, rejectUnauthorized: false }),
    http2: () => overHttp2(`https://127.0.0.1:${ports.http2}`),
    h2c: () => overHttp2(`http://127.0.0.1:${ports.h2c}`),
    net: () => text(net.connect(ports.net, host)),
  };
  for (const [kind, client] of Object.entries(kinds)) {
    const answers = await Promise.all(Array.from({ length: 16 }, client));
    t.same(new Set(answers), new Set([other]), kind);
  }
  writeFileSync(until, '');
});

t.test('a sibling that takes a socket over keeps the backlog that the application asked for', async (t) => {
  const dir = makeRuntimeDir(t);
  const holdfast = new Holdfast(t, path.join(apps, 'servers.cjs'), {
    args: ['-i', '2', '--ready', 'message', '--backoff-base', '1h', '--backoff-max', '1h', '--log-level', 'debug'],
    env: serversEnv(dir, await freePort()),
  });
  await holdfast.message('started');
  const [ports] = await portsIn(holdfast, 1);
  const before = await holdfast.status();
  process.kill(before.workers[0]?.pid ?? 0, 'SIGKILL');
  await holdfast.line(({ msg, address }) => msg === 'socket adopted' && address === '127.0.0.1:0#1');
  // The worker's figures come after what it was told before them.
  await holdfast.status();
  const { addresses } = await holdfast.status();
  const { sockets = [] } = addresses.find(({ port }) => port === ports?.again) ?? {};
  t.same(
    sockets.map(({ backlog }) => backlog),
    [16, 16],
  );
});

t.test('scaling from 4 to 2 and back ten times loses nothing, and closes what it has opened', async (t) => {
  const holdfast = new Holdfast(t, busy, { args: ['-i', '4'], env: { BUSY_MS: '4' } });
  const port = await holdfast.port();
  const load = new Load({ port, fresh: 16, keepAlive: 16 });
  t.teardown(() => load.stop());
  for (let i = 0; i < 10; i++) {
    for (const size of [2, 4]) {
      const { code, stderr } = await holdfast.scale(size);
      t.equal(code, 0, `scale ${size} ${stderr}`);
    }
  }
  const at = holdfast.log.length;
  await holdfast.run('scale', '2');
  await holdfast.line(({ msg, slot }) => msg === 'socket closed' && slot === 2, at);
  await holdfast.line(({ msg, slot }) => msg === 'socket closed' && slot === 3, at);
  t.equal(listeners(port), 2);
  t.equal((await holdfast.scale(4)).code, 0, 'a slot that comes back later gets a socket anew');
  t.equal(listeners(port), 4);
  for (let slot = 0; slot < 4; slot++) await answersFrom(port, slot);
  await load.stop();
  t.same(load.errors, {}, `${load.summary()}`);
});

t.test(
  'a kill -9 every second costs only the requests inside, also while the slots wait for their replacements',
  async (t) => {
    const holdfast = new Holdfast(t, busy, {
      args: ['-i', '4', '--backoff-base', '2500ms', '--backoff-max', '2500ms', '--max-restarts', '100'],
      env: { BUSY_MS: '3' },
    });
    const port = await holdfast.port();
    const load = new Load({ port, fresh: 32, keepAlive: 0 });
    t.teardown(() => load.stop());
    const inside = new Set<number | undefined>();
    for (let i = 0; i < 6; i++) {
      const { workers } = await holdfast.status();
      const ready = workers.filter(({ state }) => state === 'ready');
      const pid = ready[i % ready.length]?.pid ?? 0;
      const at = holdfast.log.length;
      // Stopped for a moment, so that the kernel can say which connections it had accepted when it was killed.
      process.kill(pid, 'SIGSTOP');
      for (const peer of acceptedBy(pid, port)) inside.add(peer);
      process.kill(pid, 'SIGKILL');
      await holdfast.message('replacement scheduled', at);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    await load.stop();
    const { ECONNRESET: _reset, ...others } = load.errors;
    t.same(others, {}, 'nothing is refused, nothing times out');
    t.same(
      load.failedPorts.filter((peer) => !inside.has(peer)),
      [],
      'who fails had been accepted by a worker that was killed',
    );
    t.comment(`${load.answers.length} answers, ${load.failedPorts.length} failed, ${inside.size} were inside`);
    t.comment(`the slowest took ${load.slowestMs} ms`);
  },
);

t.test('with affinity a client address keeps its slot: through reloads, and while others are missing', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, moody, {
    args: ['-i', '4', '--affinity', 'client-ip', '--backoff-base', '1h', '--backoff-max', '1h'],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  t.match(await holdfast.status(), { affinity: 'client-ip', steering: true });
  const home = await slotsOf(port);
  t.equal(new Set(home.values()).size, 4, 'the addresses are spread over all slots');
  t.equal((await holdfast.reload()).code, 0);
  t.same(await slotsOf(port), home, 'slots stay, whoever sits there');
  const crowd = (await Promise.all(Array.from({ length: 200 }, () => ask(port)))) as { slot: number }[];
  t.equal(new Set(crowd.map(({ slot }) => slot)).size, 1, 'also when so many come at once that they have to wait');

  const { workers } = await holdfast.status();
  const at = holdfast.log.length;
  process.kill(workers.find(({ slot }) => slot === 1)?.pid ?? 0, 'SIGKILL');
  await holdfast.message('replacement scheduled', at);
  const away = await slotsOf(port);
  for (const [address, slot] of home) {
    if (slot === 1) t.not(away.get(address), 1, `${address} is served elsewhere`);
    else t.equal(away.get(address), slot, `${address} does not move`);
  }
  t.equal((await holdfast.reload()).code, 0, 'the missing one comes back with the next generation');
  t.same(await slotsOf(port), home, 'and its clients with it');
});

t.test('affinity where it cannot be had is refused with a reason', async (t) => {
  for (const args of [
    ['--steering', 'off'],
    ['--listen-mode', 'reuseaddr'],
  ]) {
    const holdfast = new Holdfast(t, moody, { args: ['--affinity', 'client-ip', ...args] });
    t.equal(await holdfast.closed, 2);
    t.match(holdfast.stderr, /cannot keep affinity client-ip without steering: .+\n.*--affinity none/s);
  }
});

t.test('steering can be turned off, and status says so', async (t) => {
  const holdfast = new Holdfast(t, moody, {
    args: ['-i', '2', '--listen-mode', 'reuseport', '--steering', 'off'],
    env: { PORT: String(await freePort()) },
  });
  await holdfast.message('started');
  const status = await holdfast.status();
  t.match(status, { steering: false, steeringReason: 'the configuration turns it off', listenMode: 'reuseport' });
  t.same(
    status.addresses[0]?.sockets.map(({ weight }) => weight),
    [null, null],
  );
});

t.test('a new worker comes slowly to its full share', async (t) => {
  const holdfast = new Holdfast(t, moody, {
    args: ['-i', '2', '--slow-start', '3s', '--backoff-base', '1ms'],
    env: { PORT: String(await freePort()) },
  });
  await holdfast.message('started');
  // Asked from here: the command takes as long to boot on a busy machine as the worker to get warm.
  const client = await connect({ runtimeDir: holdfast.runtimeDir });
  const weights = async () => {
    const { addresses } = await client.status();
    return [0, 1].map((slot) => addresses[0]?.sockets.find((socket) => socket.slot === slot)?.weight ?? Number.NaN);
  };
  const full = 64;
  while ((await weights()).some((weight) => weight < full)) await pause(LOOK_MS);
  const at = holdfast.log.length;
  const { workers } = await holdfast.status();
  process.kill(workers.find(({ slot }) => slot === 0)?.pid ?? 0, 'SIGKILL');
  await holdfast.message('worker ready', at);
  const [cold = 0, warm] = await weights();
  t.ok(cold < full, `a weight of ${cold}`);
  t.equal(warm, full);
  while (((await weights())[0] ?? 0) < full) await pause(LOOK_MS);
  t.pass('in the end it has all of it, though no connection has come');
});

t.test('new connections prefer workers that have fewer', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, busy, { args: ['-i', '1'], env: { PORT: String(port), BUSY_MS: '0' } });
  await holdfast.message('started');
  const open: net.Socket[] = [];
  t.teardown(() => {
    for (const socket of open) socket.destroy();
  });
  const connect = async () => {
    const socket = net.connect(port, '127.0.0.1');
    open.push(socket);
    await once(socket, 'connect');
  };
  for (let i = 0; i < 200; i++) await connect();
  t.equal((await holdfast.scale(2)).code, 0);
  let weights = [0, 0];
  // How many a worker has is asked now and then, when connections come.
  while ((weights[1] ?? 0) <= (weights[0] ?? 0)) {
    await connect();
    weights = [await weightOf(holdfast, 0), await weightOf(holdfast, 1)];
  }
  t.pass(`weights ${weights}`);
  const { workers } = await holdfast.status();
  t.ok((workers.find(({ slot }) => slot === 0)?.accepted ?? 0) >= 200, 'what each has accepted is told');
});

async function weightOf(holdfast: Holdfast, slot: number): Promise<number> {
  const { addresses } = await holdfast.status();
  return addresses[0]?.sockets.find((socket) => socket.slot === slot)?.weight ?? Number.NaN;
}

/** Asks until the slot answers. */
async function answersFrom(port: number, slot: number): Promise<void> {
  let answer = (await ask(port)) as { slot: number };
  while (answer.slot !== slot) answer = (await ask(port)) as { slot: number };
}

/** For each of 32 client addresses the slot that answers it, several times. */
async function slotsOf(port: number): Promise<Map<string, number>> {
  const slots = new Map<string, number>();
  for (let i = 1; i <= 32; i++) {
    const localAddress = `127.0.0.${i}`;
    for (let time = 0; time < 3; time++) {
      const request = http.get({ host: '127.0.0.1', port, localAddress, agent: false });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      const { slot } = (await json(response)) as { slot: number };
      if ((slots.get(localAddress) ?? slot) !== slot) throw new Error(`${localAddress} changed its slot`);
      slots.set(localAddress, slot);
    }
  }
  return slots;
}
