import { spawn } from 'node:child_process';
import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import type http2 from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { askHealth, isHealthConnection } from '../../../dist/worker/connections/health.js';
import { answer, type Handler, KINDS, listening, PATIENT_MS } from '../support/health-servers.js';

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
