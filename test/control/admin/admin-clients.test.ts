import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { deferred, statusOf } from '../support/fake-target.js';
import { ask, type FakeAdmin, open, raw } from '../support/open-admin.js';

t.test('nonsense, too much of it and clients that go away disturb nobody', async (t) => {
  const { port } = await open(t);
  t.match(await raw(port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400/);
  t.match(
    await raw(port, `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(10_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431/,
  );
  t.match(await raw(port, 'CONNECT a:1 HTTP/1.1\r\nhost: localhost\r\n\r\n'), /^HTTP\/1\.1 404/);
  const upgrade = 'GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
  t.match(await raw(port, upgrade), /^HTTP\/1\.1 200 /);
  const pipelined = 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(3);
  t.equal((await raw(port, pipelined)).split('HTTP/1.1 200').length, 2, 'one answer, then the connection ends');
  for (let i = 0; i < 20; i++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    socket.write('GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'connect');
    socket.resetAndDestroy();
  }
  t.equal((await ask(port, '/livez')).statusCode, 200);
});

t.test('who says nothing makes room for a new client, the oldest first', async (t) => {
  const { port } = await open(t);
  const idle: net.Socket[] = [];
  t.teardown(() => idle.forEach((socket) => void socket.destroy()));
  for (let i = 0; i < 80; i++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    idle.push(socket);
    await once(socket, 'connect');
    // Half a request is as good as none.
    socket.write('GET /livez HT');
  }
  t.equal((await ask(port, '/livez')).statusCode, 200);
  const [first, last] = [idle[0], idle.at(-1)];
  first?.resume();
  if (first?.closed === false) await once(first, 'close');
  last?.write('TP/1.1\r\nhost: localhost\r\n\r\n');
  t.match(await text(last as net.Socket), /^HTTP\/1\.1 200/, 'the youngest is still there');
});

t.test('an idle connection is no request under way; one whose answer is made is', async (t) => {
  const { port, target, server } = await open(t);
  const idle = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => idle.destroy());
  await once(idle, 'connect');
  idle.write('GET /livez HT');
  while (!server.isAsked) await turn();
  const from = performance.now();
  while (server.isAsked) await delay(20);
  t.ok(performance.now() - from < 2_000, 'it is soon not counted any more');
  const status = deferred<Awaited<ReturnType<FakeAdmin['status']>>>();
  target.status = () => status.promise;
  const asked = ask(port, '/status');
  while (!server.isAsked) await turn();
  await delay(400);
  t.equal(server.isAsked, true);
  status.resolve(statusOf('shop'));
  t.equal((await asked).statusCode, 200);
  t.equal(server.isAsked, false);
});

t.test('who does not read makes room as well', async (t) => {
  const { port, target } = await open(t);
  target.metrics = async () => ({ contentType: 'text/plain', body: Buffer.alloc(8 * 1024 ** 2, 'x') });
  const greedy = Array.from({ length: 64 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
  t.teardown(() => greedy.forEach((socket) => void socket.destroy()));
  await Promise.all(greedy.map((socket) => once(socket, 'connect')));
  for (const socket of greedy) socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await Promise.all(greedy.map((socket) => once(socket, 'readable')));
  t.equal((await ask(port, '/livez')).statusCode, 200);
});

t.test('whose answer is on its way is not sent away: beyond the limit new ones are', async (t) => {
  const { port, target } = await open(t);
  const asked = deferred();
  const answer = deferred();
  target.status = async () => {
    asked.resolve();
    await answer.promise;
    return statusOf('shop');
  };
  const sockets = Array.from({ length: 48 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets) socket.write('GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await asked.promise;
  for (let i = 0; i < 80; i++) t.equal((await ask(port, '/livez')).statusCode, 200);
  answer.resolve();
  for (const socket of sockets) t.match(await text(socket), /^HTTP\/1\.1 200/);
});

t.test('what follows a request is thrown away, however much it is', async (t) => {
  const { port, target } = await open(t);
  let asked = 0;
  target.status = async () => {
    asked += 1;
    return statusOf('shop');
  };
  const siege = 'GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(13_000);
  await Promise.all(Array.from({ length: 8 }, () => raw(port, siege)));
  t.ok(asked <= 8, `it was made ${asked} times`);
  t.equal((await ask(port, '/livez')).statusCode, 200);
});

t.test('a close ends connections that say nothing, and can be asked for twice', async (t) => {
  const { port, server } = await open(t);
  const silent = net.connect(port, '127.0.0.1').on('error', () => {});
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  silent.resume();
  await server.close();
  await server.close();
  await closed;
  await t.rejects(ask(port, '/livez'), { code: 'ECONNREFUSED' });
});
