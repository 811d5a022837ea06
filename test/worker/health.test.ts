import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type Server } from 'node:net';
import t, { type Test } from 'tap';
import { askHealth } from '../../dist/worker/health.js';

async function listening<S extends Server>(t: Test, server: S): Promise<S> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return server;
}

const answer = (status: number, body: string) => (_request: unknown, response: http.ServerResponse) => {
  response.statusCode = status;
  response.end(body);
};

t.test('every kind of HTTP server answers by its own handler', async (t) => {
  const seen: unknown[] = [];
  const handler = (request: http.IncomingMessage, response: http.ServerResponse) => {
    seen.push(
      request.url,
      request.socket.remoteAddress,
      (request.socket as { encrypted?: boolean }).encrypted ?? false,
    );
    response.end('fine');
  };
  const compat = handler as unknown as (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;
  for (const [server, encrypted] of [
    [http.createServer(handler), false],
    // No certificate: nobody shakes hands.
    [https.createServer({}, handler), true],
    [http2.createServer(compat), null],
    [http2.createSecureServer({ allowHTTP1: true }, compat), null],
  ] as const) {
    seen.length = 0;
    const asked = await askHealth([await listening(t, server)], '/healthz?deep', 1_000);
    t.same(asked, { ok: true, detail: 'GET /healthz?deep answered 200: "fine"' });
    // Node puts a socket of its own between an HTTP/2 session and a stream that is none: it has no address.
    if (encrypted !== null) {
      t.same(seen, ['/healthz?deep', '127.0.0.1', encrypted]);
    } else {
      t.equal(seen[0], '/healthz?deep');
    }
  }
});

t.test('anything from 400 on is not well, and says why', async (t) => {
  for (const [status, ok] of [
    [204, true],
    [302, true],
    [401, false],
    [500, false],
  ] as const) {
    const server = await listening(t, http.createServer(answer(status, 'a first line\na second')));
    t.equal((await askHealth([server], '/', 1_000)).ok, ok, String(status));
  }
  const server = await listening(t, http.createServer(answer(503, 'db down\nat 10.0.0.3')));
  t.equal((await askHealth([server], '/', 1_000)).detail, 'GET / answered 503: "db down"');
  const large = await listening(t, http.createServer(answer(500, 'x'.repeat(1e6))));
  t.equal((await askHealth([large], '/', 1_000)).detail, `GET / answered 500: "${'x'.repeat(200)}"`);
});

t.test('no answer is told in time, and leaves nothing behind', async (t) => {
  const closed: boolean[] = [];
  const server = await listening(
    t,
    http.createServer((request) => request.socket.once('close', () => closed.push(true))),
  );
  const { ok, detail } = await askHealth([server], '/', 50);
  t.equal(ok, false);
  t.equal(detail, 'GET / was not answered within 0.05 s');
  await new Promise((resolve) => setImmediate(resolve));
  t.same(closed, [true]);
  t.equal(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))), 0);
  const rude = await listening(
    t,
    http.createServer((request) => request.socket.destroy()),
  );
  t.same(await askHealth([rude], '/', 1_000), {
    ok: false,
    detail: 'GET / was not answered: the connection was closed',
  });
});

t.test('of several servers the one that knows the path counts; others than HTTP are not asked', async (t) => {
  const tcp = await listening(
    t,
    net.createServer(() => t.fail('nobody connects')),
  );
  const shop = await listening(t, http.createServer(answer(404, 'no')));
  const admin = await listening(t, http.createServer(answer(200, 'up')));
  t.equal((await askHealth([tcp, shop, admin], '/', 1_000)).detail, 'GET / answered 200: "up"');
  t.equal((await askHealth([tcp, shop], '/', 1_000)).detail, 'GET / answered 404: "no"');
  t.same(await askHealth([tcp], '/', 1_000), { ok: false, detail: 'GET / cannot be asked: no HTTP server listens' });
});
