import { spawn } from 'node:child_process';
import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { createRequire } from 'node:module';
import net, { type AddressInfo, type Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { fastify } from 'fastify';
import t, { type Test } from 'tap';
import { askHealth, isHealthConnection } from '../../../dist/worker/connections/health.js';

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;
type Compat = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;
/** As far as it is used here: it comes without types. */
type Express = () => Handler & {
  get(path: string, handler: (request: { ip: string }, response: Answer) => void): void;
  set(name: string, value: string): void;
};
type Answer = http.ServerResponse & { json(value: unknown): void };

const express = createRequire(import.meta.url)('express') as Express;
/** No certificates: nobody shakes hands. */
const KINDS: Readonly<Record<string, (handler: Handler) => Server>> = {
  http: (handler) => http.createServer(handler),
  https: (handler) => https.createServer({}, handler),
  h2c: (handler) => http2.createServer(handler as unknown as Compat),
  h2: (handler) => http2.createSecureServer({}, handler as unknown as Compat),
  'h2 beside http/1.1': (handler) => http2.createSecureServer({ allowHTTP1: true }, handler as unknown as Compat),
};
const PATIENT_MS = 10_000;

async function listening<S extends Server>(t: Test, server: S): Promise<S> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return server;
}

const answer =
  (status: number, body: string): Handler =>
  (_request, response) => {
    response.statusCode = status;
    response.end(body);
  };

const connectionsOf = (server: Server) =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });

/** @returns what the program prints, which is given `askHealth` and `http`; uncaught errors are printed too */
async function run(program: string): Promise<string> {
  const preload = fileURLToPath(new URL('../../../dist/worker/connections/health.js', import.meta.url));
  const script = `const { askHealth } = require(${JSON.stringify(preload)}); const http = require('node:http');
    process.on('uncaughtException', (error) => console.log(error.message)); ${program}`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
  });
  await once(child, 'close');
  return printed;
}

for (const [kind, create] of Object.entries(KINDS)) {
  const secure = kind !== 'http' && kind !== 'h2c';

  t.test(`${kind}: the server answers by its own handler, as to a client of this machine`, async (t) => {
    const seen: unknown[] = [];
    const server = await listening(
      t,
      create((request, response) => {
        const socket = request.socket as TLSSocket;
        seen.push(request.method, request.url, request.headers['user-agent'], socket.remoteAddress);
        seen.push(socket.encrypted ?? false, socket.alpnProtocol ?? null, socket.remoteFamily);
        if (socket.encrypted) seen.push(socket.authorized, socket.getPeerCertificate(), socket.getProtocol());
        response.end('fine');
      }),
    );
    t.same(await askHealth([server], '/healthz?deep', PATIENT_MS), {
      ok: true,
      detail: 'GET /healthz?deep answered 200: "fine"',
    });
    const protocol = !secure ? null : kind === 'https' ? 'http/1.1' : 'h2';
    const expected = ['GET', '/healthz?deep', 'holdfast-health', '127.0.0.1', secure, protocol, 'IPv4'];
    t.same(seen, secure ? [...expected, false, {}, 'TLSv1.3'] : expected);
  });

  t.test(`${kind}: no answer in time is told, and leaves nothing behind`, async (t) => {
    const closed: Promise<unknown>[] = [];
    const server = await listening(
      t,
      create(({ socket }) => closed.push(once(socket, 'close'))),
    );
    const before = server.eventNames();
    t.same(await askHealth([server], '/', 500), { ok: false, detail: 'GET / was not answered within 0.5 s' });
    t.equal(closed.length, 1);
    await Promise.all(closed);
    t.equal(await connectionsOf(server), 0);
    t.same(server.eventNames(), before);
  });

  t.test(`${kind}: a connection that the application cuts off is no answer`, async (t) => {
    const server = await listening(
      t,
      create((request) => {
        const { stream } = request as unknown as Partial<http2.Http2ServerRequest>;
        if (stream?.session === undefined) request.socket.destroy();
        else stream.session.destroy();
      }),
    );
    const { ok, detail } = await askHealth([server], '/', PATIENT_MS);
    t.equal(ok, false);
    t.match(detail, /^GET \/ was not answered: the (connection|stream) was closed$/);
  });

  t.test(`${kind}: of an answer without end as much is read as is told`, async (t) => {
    let written = 0;
    const server = await listening(
      t,
      create((_request, response) => {
        response.statusCode = 500;
        const more = () => {
          do written += 1_000;
          while (response.write('x'.repeat(1_000)));
        };
        response.on('drain', more);
        more();
      }),
    );
    const { detail } = await askHealth([server], '/', PATIENT_MS);
    t.equal(detail, `GET / answered 500: "${'x'.repeat(200)}"`);
    t.ok(written < 1e6, `${written} bytes`);
  });

  t.test(`${kind}: a server that is closed and finishes what it has still answers`, async (t) => {
    const server = create(answer(200, 'on my way out'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    t.teardown(() => client.destroy());
    await once(server, 'connection');
    server.close();
    t.equal((await askHealth([server], '/', PATIENT_MS)).detail, 'GET / answered 200: "on my way out"');
  });

  t.test(`${kind}: the connection can be told from others, and none is announced`, async (t) => {
    let [accepted, health] = [0, false];
    const onAccepted = () => {
      accepted += 1;
    };
    diagnosticsChannel.subscribe('net.server.socket', onAccepted);
    t.teardown(() => diagnosticsChannel.unsubscribe('net.server.socket', onAccepted));
    const server = await listening(
      t,
      create((request, response) => {
        const { stream } = request as unknown as Partial<http2.Http2ServerRequest>;
        health = isHealthConnection(stream?.session ?? request.socket);
        response.end();
      }),
    );
    t.same(await askHealth([server], '/', PATIENT_MS), { ok: true, detail: 'GET / answered 200' });
    t.equal(health, true);
    t.equal(accepted, 0);
    for (const other of [new net.Socket(), {}, null, undefined]) t.equal(isHealthConnection(other), false);
  });
}

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

t.test('a listener of the application that throws at once is an answer like any other', async (t) => {
  for (const create of Object.values(KINDS)) {
    const server = await listening(t, create(answer(200, '')));
    const event = 'setSecureContext' in server ? 'secureConnection' : 'connection';
    server.prependListener(event, () => {
      throw new Error('I take nobody');
    });
    const detail = 'GET / was not answered: I take nobody';
    t.same(await askHealth([server], '/', PATIENT_MS), { ok: false, detail });
  }
});

t.test('a handler that throws is uncaught as always, and no answer', async (t) => {
  const printed = await run(`
    const server = http.createServer(() => { throw new Error('a fault of the application'); }).listen(0, '127.0.0.1', async () => {
      console.log((await askHealth([server], '/', 50)).detail);
      server.close();
    });`);
  t.equal(printed, 'a fault of the application\nGET / was not answered within 0.05 s\n');
});

t.test('a question does not keep the process alive', async (t) => {
  const printed = await run(`
    const server = http.createServer(() => console.log('asked')).listen(0, '127.0.0.1', async () => {
      server.unref();
      console.log((await askHealth([server], '/', 20_000)).detail);
    });`);
  t.equal(printed, 'asked\n');
});

t.test('connections that clients keep alive stay so', async (t) => {
  const server = await listening(t, http.createServer(answer(200, 'fine')));
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const { port } = server.address() as AddressInfo;
  const get = async () => {
    const request = http.get({ port, host: '127.0.0.1', agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const free = once(agent, 'free');
    response.resume();
    await free;
    return request.reusedSocket;
  };
  t.equal(await get(), false);
  t.ok((await askHealth([server], '/', PATIENT_MS)).ok);
  t.equal(await connectionsOf(server), 1);
  t.equal(await get(), true);
});

t.test('of several servers the one that knows the path counts; others than HTTP are not asked', async (t) => {
  const tcp = await listening(
    t,
    net.createServer(() => t.fail('nobody connects')),
  );
  const shop = await listening(t, http.createServer(answer(404, 'no')));
  const admin = await listening(t, http.createServer(answer(200, 'up')));
  const ill = await listening(t, http.createServer(answer(503, 'db down')));
  const detail = async (...servers: Server[]) => (await askHealth(servers, '/', PATIENT_MS)).detail;
  t.equal(await detail(tcp, shop, admin, ill), 'GET / answered 200: "up"');
  t.equal(await detail(ill, admin), 'GET / answered 503: "db down"');
  t.equal(await detail(tcp, shop), 'GET / answered 404: "no"');
  t.same(await askHealth([tcp], '/', PATIENT_MS), {
    ok: false,
    detail: 'GET / cannot be asked: no HTTP server listens',
  });
});

t.test('several servers together have no more time than one', async (t) => {
  const slowly =
    (status: number): Handler =>
    (_request, response) =>
      void setTimeout(() => response.writeHead(status).end(), 40);
  const shop = await listening(t, http.createServer(slowly(404)));
  const admin = await listening(t, http.createServer(slowly(200)));
  t.same(await askHealth([shop, admin], '/', 60), { ok: false, detail: 'GET / was not answered within 0.06 s' });
});
