import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import type { Client } from './support/clients/client.js';
import {
  Download,
  EventListener,
  Events,
  ExpectContinue,
  HalfHead,
  Pipelining,
  Silent,
  Upload,
} from './support/clients/http1.js';
import { Grpc, Http2 } from './support/clients/http2.js';
import {
  Conversation,
  Datagrams,
  IdleConversation,
  SlowReader,
  SocketIoCounter,
  WebSockets,
} from './support/clients/sockets.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { Load } from './support/load.js';
import { pack } from './support/packages.js';
import { serversEnv } from './support/servers.js';

const RELOADS = 5;
const WORKERS = 2;
/** Closer together is the same moment: of two workers that left all at once there would be two. */
const APART_MS = 10;
/** Much longer than this process may be held up on a busy machine, in which it hears of several at once. */
const SPREAD_MS = 2_000;
const packages = pack(t, ['@grpc/grpc-js', 'ws', 'socket.io']);

async function startAll(t: Test, mode: string, args: readonly string[]) {
  const dir = makeRuntimeDir(t);
  const udpPort = await freePort();
  const grpcPort = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'connections.cjs'), {
    args: ['-i', String(WORKERS), '--surge', '100%', '--ready', 'message', '--listen-mode', mode, ...args],
    env: { ...(await packages), ...serversEnv(dir, udpPort), GRPC_PORT: String(grpcPort) },
  });
  await holdfast.message('started');
  const { msg } = await holdfast.line(({ msg }) => msg.startsWith('PORTS '));
  const ports = JSON.parse(msg.slice(6)) as Record<'web' | 'sockets' | 'chat' | 'h2c' | 'h2' | 'tcp', number>;
  return { holdfast, ports: { ...ports, grpc: grpcPort, udp: udpPort } };
}

async function reloadAll(t: Test, holdfast: Holdfast, listener?: EventListener): Promise<void> {
  for (let i = 1; i <= RELOADS; i++) {
    const { code, stderr } = await holdfast.reload();
    t.equal(code, 0, `reload ${stderr}`);
    // It takes its time to connect again, and would not be there in the next one.
    await listener?.openedFor(1 + i);
  }
}

async function everyKind(t: Test, mode: string): Promise<void> {
  const { holdfast, ports } = await startAll(t, mode, ['--drain-timeout', '30s', '--spread', `${SPREAD_MS}ms`]);
  const sockets = new WebSockets('WebSocket', ports.sockets).start(10);
  const http2 = [
    new Http2('HTTP/2 over TLS', `https://127.0.0.1:${ports.h2}`).start(),
    new Http2('HTTP/2 without TLS', `http://127.0.0.1:${ports.h2c}`).start(),
  ];
  const counter = new SocketIoCounter('socket.io', ports.chat).start();
  const listener = new EventListener('EventSource', ports.web).start();
  const clients: Client[] = [
    sockets,
    ...http2,
    counter,
    new Pipelining('pipelined requests', ports.web).start(2),
    new HalfHead('half a head', ports.web).start(2),
    new Upload('upload', ports.web).start(2),
    new Download('endless answer', ports.web).start(2),
    new ExpectContinue('Expect: 100-continue', ports.web).start(2),
    new Silent('silent keep-alive', ports.web).start(4),
    new Events('server-sent events', ports.web).start(4),
    listener,
    new Grpc('gRPC', ports.grpc).start(2),
    new Conversation('TCP conversation', ports.tcp).start(2),
    new SlowReader('slow reader', ports.tcp).start(),
    new Datagrams('UDP', ports.udp).start(),
  ];
  const load = new Load({ port: ports.web, fresh: 2, keepAlive: 4, perSecond: 100 });
  t.teardown(() => Promise.allSettled([...clients.map((client) => client.stop()), load.stop()]));
  await reloadAll(t, holdfast, listener);
  await load.stop();
  t.same(load.errors, {}, `keep-alive POSTs and new connections, ${load.answers.length} answers`);
  for (const client of clients) {
    await client.stop();
    t.same(client.errors, {}, `${client.name}, ${client.done} conversations`);
    t.ok(client.done >= RELOADS, `${client.name} went on`);
  }
  for (const { name, codes, unsent } of http2) {
    t.ok(codes.length >= RELOADS, `${name}: GOAWAY in each reload`);
    t.same(new Set(codes), new Set([0]), `${name}: without an error`);
    t.comment(`${name}: ${unsent} streams were never sent`);
  }
  t.same(new Set(sockets.closed.map(({ code }) => code)), new Set([1012]), 'WebSockets hear that the service restarts');
  // As this process hears of it: whoever was held up himself hears of all at once, and then another reload shows it.
  const times = sockets.closed.map(({ at }) => at).sort((a, b) => a - b);
  const moments = times.filter((at, index) => at - (times[index - 1] ?? 0) > APART_MS);
  const together = moments.map((from) => moments.filter((at) => at >= from && at < from + SPREAD_MS).length);
  t.ok(Math.max(...together) > WORKERS * 2, `they leave one by one: at ${Math.max(...together)} moments of a spread`);
  t.ok(listener.opened > RELOADS, 'EventSource connected again');
  t.ok(counter.connects > RELOADS, 'socket.io connected again');
  t.same(holdfast.lines('drain timeout'), [], 'nobody had to be cut off');
  t.same((await holdfast.status()).cutOff, {});
}

t.test('connections of every kind go through five reloads', async (t) => {
  // Side by side: most of the time is waiting.
  t.jobs = 2;
  await Promise.all(
    ['reuseport', 'reuseaddr'].map((mode) =>
      t.test(mode, { buffered: true }, async (t) => {
        await everyKind(t, mode);
      }),
    ),
  );
});

t.test('who says nothing for the whole drain hears its end, not a reset', async (t) => {
  t.jobs = 2;
  await Promise.all(
    ['reuseport', 'reuseaddr'].map((mode) =>
      t.test(mode, { buffered: true }, async (t) => {
        const { holdfast, ports } = await startAll(t, mode, ['--drain-timeout', '1s', '--spread', '100ms']);
        const idle = new IdleConversation('idle', ports.tcp).start(4);
        t.teardown(() => idle.stop());
        await reloadAll(t, holdfast);
        await idle.stop();
        t.same(idle.errors, {});
        t.ok(idle.done >= 4 * RELOADS, `${idle.done} were ended`);
      }),
    ),
  );
});
