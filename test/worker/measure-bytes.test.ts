import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { duplexPair } from 'node:stream';
import t from 'tap';
import { FIGURES, get, listening, measuring } from './support/measuring.js';

t.test('bytes of connections that have closed by the time somebody asks, and of many that stay', async (t) => {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(1_000)));
  });
  const measure = measuring([server]);
  const port = await listening(t, server);
  // More than are kept until then.
  for (let i = 0; i < 70; i++) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let time = 0; time < 3; time++) await get(port, agent, 'y'.repeat(100));
    if (i % 2 === 0) agent.destroy();
    else t.teardown(() => agent.destroy());
  }
  while ((await new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)))) > 35) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { receivedBytes, sentBytes, requests } = await measure.read(FIGURES);
  t.equal(requests, 210);
  t.ok(receivedBytes > 21_000 && receivedBytes < 84_000, `${receivedBytes} bytes came`);
  t.ok(sentBytes > 210_000 && sentBytes < 273_000, `${sentBytes} bytes went`);
  t.match(await measure.read(FIGURES), { receivedBytes, sentBytes }, 'nothing counts twice');
});

t.test('nobody hears of answers while all connections are watched', async (t) => {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(1_000)));
  });
  const measure = measuring([server]);
  const hears = () => measure.figures.onAnswered !== undefined;
  const port = await listening(t, server);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  let before = { receivedBytes: 0, sentBytes: 0 };
  const more = async () => {
    const { receivedBytes, sentBytes } = await measure.read(FIGURES);
    const [came, went] = [receivedBytes - before.receivedBytes, sentBytes - before.sentBytes];
    before = { receivedBytes, sentBytes };
    return { came, went };
  };
  const isOf = ({ came, went }: { came: number; went: number }, body: number, answers: number) =>
    t.ok(
      came > body && came < body + 400 * answers && went > 1_000 * answers && went < 1_300 * answers,
      `${came} bytes came, ${went} went`,
    );
  await get(port, agent, 'y'.repeat(100));
  isOf(await more(), 100, 1);
  t.ok(hears(), 'one answer: the connection may close at any time');
  await get(port, agent, 'y'.repeat(100));
  isOf(await more(), 100, 1);
  t.notOk(hears(), 'it stays');
  for (let time = 0; time < 3; time++) await get(port, agent, 'y'.repeat(1_000));
  isOf(await more(), 3_000, 3);
  t.notOk(hears());

  const silent = net.connect(port, '127.0.0.1');
  await once(server, 'connection');
  t.ok(hears(), 'another one, which asks for nothing');
  await get(port, agent, 'y'.repeat(100));
  isOf(await more(), 100, 1);
  t.ok(hears(), 'it is still not known what becomes of it');
  silent.destroy();
  await get(port, false, 'y'.repeat(100));
  const open = () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  while ((await open()) !== 1) await new Promise((resolve) => setImmediate(resolve));
  isOf(await more(), 100, 1);
  t.notOk(hears(), 'those have closed');

  await get(port, agent, 'y'.repeat(1_000));
  agent.destroy();
  while ((await open()) !== 0) await new Promise((resolve) => setImmediate(resolve));
  isOf(await more(), 1_000, 1);
  t.same(await more(), { came: 0, went: 0 }, 'nothing counts twice');
  const next = net.connect(port, '127.0.0.1');
  await once(server, 'connection');
  t.same(await more(), { came: 0, went: 0 });
  t.ok(hears(), 'what has closed is not taken for what is open');
  next.destroy();
});

t.test('answers of many connections are told, and those on what has become another protocol', async (t) => {
  const server = http.createServer((_request, response) => response.end('x'));
  const measure = measuring([server]);
  const hears = () => measure.figures.onAnswered !== undefined;
  const port = await listening(t, server);
  const agents = Array.from({ length: 40 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
  t.teardown(() => agents.forEach((agent) => void agent.destroy()));
  for (const agent of agents) for (let time = 0; time < 2; time++) await get(port, agent);
  const first = await measure.read(FIGURES);
  t.ok(hears());
  for (let time = 0; time < 2; time++) for (const agent of agents) await get(port, agent, 'y'.repeat(1_000));
  const second = await measure.read(FIGURES);
  const came = second.receivedBytes - first.receivedBytes;
  t.ok(came > 80_000 && came < 112_000, `${came} bytes came over connections that are known already`);

  const few = http.createServer((_request, response) => response.end('x'));
  few.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    socket.on('data', () => socket.write('z'.repeat(5_000)));
  });
  const other = measuring([few]);
  const socket = net.connect(await listening(t, few), '127.0.0.1');
  t.teardown(() => socket.destroy());
  for (let time = 0; time < 2; time++) {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
  }
  await other.read(FIGURES);
  t.equal(other.figures.onAnswered, undefined, 'all are watched');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n');
  await once(socket, 'data');
  await other.read(FIGURES);
  t.not(other.figures.onAnswered, undefined, 'it carries no answers any more');
  const { sentBytes } = await other.read(FIGURES);
  socket.write('more');
  await once(socket, 'data');
  t.match(await other.read(FIGURES), { sentBytes }, 'what is not HTTP is not counted');
});

t.test('an answer of a server that is none of ours is told, also if somebody asks while it is made', async (t) => {
  const answers: http.ServerResponse[] = [];
  const stranger = http.createServer((_request, response) => void answers.push(response));
  const measure = measuring([]);
  const port = await listening(t, stranger);
  const answered = get(port, false);
  await once(stranger, 'request');
  const { sentBytes } = await measure.read(FIGURES);
  answers[0]?.end('x'.repeat(10_000));
  await answered;
  const after = await measure.read(FIGURES);
  t.ok(after.sentBytes - sentBytes > 10_000, `${after.sentBytes - sentBytes} bytes went`);
});

t.test('bytes of a connection that is closed with its answer, its first or a later one', async (t) => {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(1_000)));
  });
  const measure = measuring([server]);
  const port = await listening(t, server);
  const bytes = async () => {
    const { receivedBytes, sentBytes } = await measure.read(FIGURES);
    return { receivedBytes, sentBytes };
  };
  await get(port, false, 'y'.repeat(100));
  const first = await bytes();
  t.ok(first.receivedBytes > 100 && first.receivedBytes < 400, `${first.receivedBytes} bytes came`);
  t.ok(first.sentBytes > 1_000 && first.sentBytes < 1_300, `${first.sentBytes} bytes went`);
  t.same(await bytes(), first, 'nothing counts twice');
  server.maxRequestsPerSocket = 3;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (let time = 0; time < 3; time++) await get(port, agent, 'y'.repeat(100));
  const all = await bytes();
  t.ok(all.receivedBytes > 400 && all.receivedBytes < 1_600, `${all.receivedBytes} bytes came`);
  t.ok(all.sentBytes > 4_000 && all.sentBytes < 5_200, `${all.sentBytes} bytes went`);
  t.same(await bytes(), all);
});

t.test('an answer that is called the last once its head has gone is not', async (t) => {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.shouldKeepAlive = false;
    request.resume().on('end', () => response.end('x'.repeat(1_000)));
  });
  const measure = measuring([server]);
  const port = await listening(t, server);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (let time = 0; time < 3; time++) await get(port, agent);
  const { sentBytes, accepted } = await measure.read(FIGURES);
  t.equal(accepted.http1, 1, 'one connection');
  t.ok(sentBytes > 3_000 && sentBytes < 3_900, `${sentBytes} bytes went`);
});

t.test('a connection that is none of the system', async (t) => {
  const server = http.createServer((_request, response) => response.end('x'));
  const measure = measuring([server]);
  const [near, far] = duplexPair();
  server.emit('connection', far);
  for (let time = 0; time < 3; time++) {
    near.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(near, 'data');
  }
  t.match(await measure.read(FIGURES), { requests: 3, receivedBytes: 0, sentBytes: 0 });
  near.destroy();
});

t.test('a socket that tells nonsense, or throws, costs its own bytes', async (t) => {
  const measure = measuring([]);
  const finish = diagnosticsChannel.channel('http.server.response.finish');
  const start = diagnosticsChannel.channel('http.server.request.start');
  const tell = (socket: object) => {
    const response = { statusCode: 200, req: { socket } };
    start.publish({ response });
    finish.publish({ socket, response });
  };
  const throwing = Object.defineProperty({}, 'bytesRead', {
    get() {
      throw new Error('not now');
    },
  });
  const sockets = [
    throwing,
    { _handle: throwing },
    { bytesRead: Number.NaN, _bytesDispatched: '5' },
    { bytesRead: 7, _bytesDispatched: 8 },
  ];
  for (let time = 0; time < 2; time++) for (const socket of sockets) tell(socket);
  t.match(await measure.read(FIGURES), { receivedBytes: 7, sentBytes: 8 });
  for (const socket of sockets) tell(Object.assign(socket, { _bytesDispatched: 9 }));
  t.match(await measure.read(FIGURES), { receivedBytes: 7, sentBytes: 8 + 1 + 9 }, 'those behind it count on');
});
