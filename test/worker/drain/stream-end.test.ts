import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import zlib from 'node:zlib';
import t, { type Test } from 'tap';
import { isEventSource, isStream, leaveStream } from '../../../dist/worker/drain/stream-end.js';

const EVENTS = { 'content-type': 'text/event-stream; charset=utf-8' };
const LINES = { 'content-type': 'application/x-ndjson' };
/** Long: what it is about must happen before. */
const IN_TIME = 20_000;

/** One answer, with its head and `begin` sent, and what its client gets of it. */
async function stream(
  t: Test,
  headers: http.OutgoingHttpHeaders,
  begin: string,
  options: http.RequestOptions = {},
): Promise<{ answer: ServerResponse; heard: IncomingMessage; body: Promise<string>; server: http.Server }> {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const asked = http.request({ port, host: '127.0.0.1', agent: false, ...options }).end();
  const [, answer] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  answer.writeHead(200, headers);
  answer.write(begin);
  const [heard] = (await once(asked, 'response')) as [IncomingMessage];
  let all = '';
  heard.setEncoding('utf8').on('data', (piece: string) => {
    all += piece;
  });
  heard.on('error', () => {}); // told by `complete`
  await once(heard, 'data');
  const body = new Promise<string>((resolve) => heard.once('close', () => resolve(all)));
  return { answer, heard, body, server };
}

const later = (ms: number) => performance.now() + ms;

t.test('which answers are streams, and which are those of an EventSource', async (t) => {
  const events = await stream(t, EVENTS, ':\n\n');
  t.equal(isEventSource(events.answer), true);
  const posted = await stream(t, EVENTS, ':\n\n', { method: 'POST' });
  t.same([isEventSource(posted.answer), isStream(posted.answer)], [false, true]);
  const sized = await stream(t, { 'content-length': 10 }, 'five!');
  t.same([isEventSource(sized.answer), isStream(sized.answer)], [false, false]);
  const lines = await stream(t, LINES, '{}\n');
  t.same([isEventSource(lines.answer), isStream(lines.answer)], [false, true]);
  events.answer.end();
  t.equal(isEventSource(events.answer), false, 'it has ended by itself');
});

t.test(
  'server-sent events end after a whole one, and properly; the application sees that the client has gone',
  async (t) => {
    const { answer, heard, body } = await stream(t, EVENTS, 'id: 1\ndata: a\n\n');
    const seen: string[] = [];
    for (const event of ['close', 'finish', 'error']) answer.on(event, () => seen.push(event));
    leaveStream(answer, { latestAt: later(IN_TIME) });
    answer.write('id: 2\n');
    await new Promise((resolve) => setImmediate(resolve));
    answer.write('data: b\n');
    answer.write('\n');
    answer.write('id: 3\ndata: c\n\n');
    const closed = once(answer, 'close');
    t.equal(
      await body,
      'id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n',
      'what is written in one go stays together',
    );
    t.equal(heard.complete, true);
    await closed;
    await new Promise<void>((resolve) => {
      answer.write('id: 4\n\n', () => resolve());
    });
    answer.end('id: 5\n\n');
    await new Promise((resolve) => setImmediate(resolve));
    t.same(seen, ['close']);
  },
);

t.test('what the application writes before it has seen the end goes nowhere, and is no error', async (t) => {
  const { answer, body, heard } = await stream(t, EVENTS, 'data: a\n\n');
  answer.on('error', (error) => t.fail(String(error)));
  leaveStream(answer, { latestAt: later(IN_TIME) });
  answer.write('data: b\n\n');
  // After ours, which looks in the turn that comes.
  setImmediate(() =>
    setImmediate(() => {
      answer.write('data: c\n\n');
      answer.end('data: d\n\n');
    }),
  );
  t.equal(await body, 'data: a\n\ndata: b\n\n');
  t.equal(heard.complete, true);
});

t.test('an event that is piped, corked or split is not cut', async (t) => {
  const { answer, body } = await stream(t, EVENTS, 'data: a\n\n');
  leaveStream(answer, { latestAt: later(IN_TIME) });
  const source = new PassThrough();
  const torn = new Promise<unknown>((resolve) => pipeline(source, answer, resolve));
  source.write('data: b\n');
  await new Promise((resolve) => setImmediate(resolve));
  source.write('\r\n');
  t.equal(await body, 'data: a\n\ndata: b\n\r\n');
  t.match(await torn, { code: 'ERR_STREAM_PREMATURE_CLOSE' }, 'as with a client that has gone');

  const corked = await stream(t, EVENTS, 'data: a\n\n');
  leaveStream(corked.answer, { latestAt: later(IN_TIME) });
  corked.answer.cork();
  corked.answer.write('data: b\n\n');
  await new Promise((resolve) => setImmediate(resolve));
  corked.answer.write('data: c\n');
  await new Promise((resolve) => setImmediate(resolve));
  corked.answer.write('data: d\n\n');
  corked.answer.uncork();
  t.equal(await corked.body, 'data: a\n\ndata: b\n\ndata: c\ndata: d\n\n');
});

t.test(
  'who writes nothing is left after a while; who never comes to the end of an event when there is no more time',
  async (t) => {
    const silent = await stream(t, EVENTS, 'data: a\n\n');
    leaveStream(silent.answer, { latestAt: later(200) });
    t.equal(await silent.body, 'data: a\n\n');
    t.equal(silent.heard.complete, true);
    const endless = await stream(t, EVENTS, 'data: a\n');
    leaveStream(endless.answer, { latestAt: later(200) });
    endless.answer.write('data: b\n');
    t.equal(await endless.body, 'data: a\ndata: b\n');
    t.equal(endless.heard.complete, false, 'an event that is not whole is not made to look like one');
  },
);

t.test('a connection that stays open is there for the next request', async (t) => {
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const { answer, heard, body, server } = await stream(t, EVENTS, 'data: a\n\n', { agent });
  const { remotePort } = answer.req.socket;
  leaveStream(answer, { latestAt: later(IN_TIME), keepOpen: true });
  answer.on('error', (error) => t.fail(String(error)));
  const closed = once(answer, 'close');
  answer.write('data: b\n\n');
  setImmediate(() => setImmediate(() => answer.write('data: c\n\n')));
  t.equal(await body, 'data: a\n\ndata: b\n\n');
  t.equal(heard.complete, true);
  await closed;
  server.once('request', (request: IncomingMessage, next: ServerResponse) =>
    next.end(String(request.socket.remotePort)),
  );
  const { port } = server.address() as AddressInfo;
  const [again] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
  t.equal(await text(again), String(remotePort));
});

t.test(
  'other streams are cut after a line or a chunk, seen to be incomplete, and counted as open until then',
  async (t) => {
    const { answer, body, heard } = await stream(t, LINES, '{"n":1}\n');
    const from = later(100);
    const closeAt = later(1_500);
    leaveStream(answer, { from, latestAt: closeAt, closeAt });
    answer.write('{"n":2}\n');
    answer.write('{"n":');
    setTimeout(() => {
      answer.write('3}\n');
      // Never in the same turn as that, however late it is.
      setTimeout(() => answer.write('{"n":4}\n'), 100);
    }, 200);
    await once(answer, 'close');
    t.ok(performance.now() >= closeAt - 5, 'not before');
    t.equal(await body, '{"n":1}\n{"n":2}\n{"n":3}\n');
    t.equal(heard.complete, false);
  },
);

t.test('compressed events end after a flush', async (t) => {
  const { answer, heard } = await stream(t, { ...EVENTS, 'content-encoding': 'gzip' }, 'x');
  heard.setEncoding('latin1');
  let bytes = '';
  heard.on('data', (piece: string) => {
    bytes += piece;
  });
  leaveStream(answer, { latestAt: later(IN_TIME) });
  const gzip = zlib.createGzip();
  gzip.on('data', (piece) => answer.write(piece));
  gzip.write('data: b\n\n');
  gzip.flush(zlib.constants.Z_SYNC_FLUSH);
  await once(heard, 'close');
  const inflated = zlib.gunzipSync(Buffer.from(bytes, 'latin1'), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  t.equal(String(inflated), 'data: b\n\n');
  const brotli = await stream(t, { ...EVENTS, 'content-encoding': 'br' }, 'x');
  leaveStream(brotli.answer, { latestAt: later(0) });
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(brotli.answer.socket?.writable, true, 'where it cannot be told it is left alone');
});

t.test(
  'a client of HTTP/1.0 gets the end of the connection, and nothing that it would take for the body',
  async (t) => {
    const server = http.createServer((_request, answer) => {
      answer.writeHead(200, EVENTS);
      answer.write('data: a\n\n');
      leaveStream(answer, { latestAt: later(IN_TIME) });
      Readable.from(['data: b\n\n']).pipe(answer, { end: false });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.0\r\n\r\n');
    t.match(await text(socket), /\r\n\r\ndata: a\n\ndata: b\n\n$/);
  },
);
