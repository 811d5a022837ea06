import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
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
  const tell = (socket: object) => finish.publish({ socket, response: { statusCode: 200 } });
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
