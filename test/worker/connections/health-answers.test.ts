import http from 'node:http';
import http2 from 'node:http2';
import type { Server } from 'node:net';
import { fastify } from 'fastify';
import t from 'tap';
import { askHealth } from '../../../dist/worker/connections/health.js';
import { answer, express, type Handler, listening, PATIENT_MS } from '../support/health-servers.js';

t.test('Express and Fastify answer, and say what is wrong', async (t) => {
  const app = express();
  // It prints no errors then.
  app.set('env', 'test');
  app.get('/healthz', ({ ip }, response) => response.json({ ip }));
  app.get('/broken', () => {
    throw new Error('db down');
  });
  const server = await listening(t, http.createServer(app));
  const detail = async (server: Server, path: string) => (await askHealth([server], path, PATIENT_MS)).detail;
  t.equal(await detail(server, '/healthz'), String.raw`GET /healthz answered 200: "{\"ip\":\"127.0.0.1\"}"`);
  t.match(await detail(server, '/broken'), /^GET \/broken answered 500: ".*Error/);
  t.match(await detail(server, '/other'), /^GET \/other answered 404: "/);

  const swift = fastify({ trustProxy: true });
  t.teardown(() => swift.close());
  swift.get('/healthz', async ({ ip, protocol }) => ({ ip, protocol }));
  swift.get('/broken', async () => {
    throw new Error('db down');
  });
  await swift.listen({ port: 0, host: '127.0.0.1' });
  const told = String.raw`"{\"ip\":\"127.0.0.1\",\"protocol\":\"http\"}"`;
  t.equal(await detail(swift.server, '/healthz'), `GET /healthz answered 200: ${told}`);
  t.match(await detail(swift.server, '/broken'), /^GET \/broken answered 500: ".*db down/);
});

t.test('anything from 400 on is not well', async (t) => {
  const statuses = { 200: true, 204: true, 302: true, 304: true, 399: true, 400: false, 401: false, 500: false };
  for (const [status, ok] of Object.entries(statuses)) {
    const server = await listening(t, http.createServer(answer(Number(status), '')));
    t.same(await askHealth([server], '/', PATIENT_MS), { ok, detail: `GET / answered ${status}` });
  }
});

t.test('what is told fits in one line that is safe to print', async (t) => {
  for (const [body, said] of [
    ['db down\n  at 10.0.0.3\r\n', 'db down at 10.0.0.3'],
    ['{\n  "db": "down"\n}', '{ "db": "down" }'],
    ['\u001b[31mred\u001b[0m \u202eturned\u2028line', '[31mred [0m turned line'],
    ['überlastet 🌊', 'überlastet 🌊'],
    ['🌊'.repeat(300), '🌊'.repeat(200)],
  ] as const) {
    const server = await listening(t, http.createServer(answer(503, body)));
    const { detail } = await askHealth([server], '/', PATIENT_MS);
    t.equal(detail, `GET / answered 503: ${JSON.stringify(said)}`);
  }
});

t.test('an answer of HTTP/1.1 is understood however it comes', async (t) => {
  const handlers: Readonly<Record<string, Handler>> = {
    'with the length of its body on a connection that stays open': (_request, response) => {
      response.setHeader('Connection', 'keep-alive').setHeader('Content-Length', 3).end('abc');
    },
    'in chunks on a connection that stays open': (_request, response) => {
      response.setHeader('Connection', 'keep-alive').write('a');
      response.write('b');
      setImmediate(() => response.end('c'));
    },
    'behind early hints': (_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('abc'));
    },
    'up to the end of the connection': ({ socket }) => {
      socket.end('HTTP/1.0 200 OK\r\nServer: old\r\n\r\nabc');
    },
  };
  for (const [way, handler] of Object.entries(handlers)) {
    const server = await listening(t, http.createServer(handler));
    t.same(await askHealth([server], '/', PATIENT_MS), { ok: true, detail: 'GET / answered 200: "abc"' }, way);
  }
  const cutOff = await listening(
    t,
    http.createServer(({ socket }, response) => {
      response.setHeader('Content-Length', 10).write('abc', () => setImmediate(() => socket.destroy()));
    }),
  );
  const detail = 'GET / was not answered: the connection was closed in the middle of an answer of 200';
  t.same(await askHealth([cutOff], '/', PATIENT_MS), { ok: false, detail });
});

t.test('a reset stream is no answer', async (t) => {
  const server = await listening(t, http2.createServer());
  server.on('stream', (stream) => stream.on('error', () => {}).close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  const { ok, detail } = await askHealth([server], '/', PATIENT_MS);
  t.equal(ok, false);
  t.match(detail, /^GET \/ was not answered: .*NGHTTP2_INTERNAL_ERROR$/);
});
