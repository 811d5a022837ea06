import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { ProgressLine } from '../../src/control/client.js';
import { connectTo, listSupervisors } from '../../src/control/find.js';
import { deferred, makeFolder, OK, open, SNAPSHOT, statusOf } from './support/fake-target.js';

/** Something that takes connections on a control socket and does `answer` with them. */
async function impostor(t: Test, dir: string, name: string, answer: (socket: net.Socket) => void): Promise<void> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    answer(socket);
  });
  server.listen(path.join(dir, `${name}.sock`));
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

t.test('lists the running supervisors by name, also one that does not answer', async (t) => {
  const dir = makeFolder(t);
  await open(t, 'zoo', dir);
  await open(t, 'api', dir);
  await impostor(t, dir, 'hung', () => {});
  await impostor(t, dir, 'mail', (socket) => socket.end('220 ESMTP\r\n'));
  t.same(await listSupervisors(dir, 2_000), [
    { name: 'api', status: statusOf('api') },
    { name: 'hung', status: null },
    { name: 'mail', status: null },
    { name: 'zoo', status: statusOf('zoo') },
  ]);
});

t.test('lists nothing where there is no folder, and nothing that is dead', async (t) => {
  const dir = makeFolder(t);
  t.same(await listSupervisors(path.join(dir, 'none')), []);
  const { server } = await open(t, 'shop', dir);
  await server.close();
  t.same(await listSupervisors(dir), []);
});

t.test('does not look into a folder that others may write to', async (t) => {
  const { chmodSync } = await import('node:fs');
  const dir = makeFolder(t);
  chmodSync(dir, 0o777);
  await t.rejects(listSupervisors(dir), { code: 'RUNTIME_DIR_UNSAFE', exitCode: 2 });
});

t.test('connects to the only supervisor without a name', async (t) => {
  const { dir } = await open(t, 'shop');
  const connection = await connectTo(dir);
  t.equal(connection.name, 'shop');
  t.same(await connection.status(), statusOf('shop'));
});

t.test('no supervisor is exit code 3, and says what runs', async (t) => {
  const dir = makeFolder(t);
  await t.rejects(connectTo(dir), { code: 'NO_SUPERVISOR', exitCode: 3, hint: /holdfast start/ });
  await t.rejects(connectTo(dir, 'shop'), { code: 'NO_SUPERVISOR', exitCode: 3, hint: /none runs/ });
  await open(t, 'shop', dir);
  await open(t, 'api', dir);
  await t.rejects(connectTo(dir, 'shpo'), {
    code: 'NO_SUPERVISOR',
    exitCode: 3,
    message: /shpo/,
    hint: /did you mean shop\? running: api, shop/,
  });
});

t.test('several supervisors and no name is wrong use', async (t) => {
  const dir = makeFolder(t);
  await open(t, 'shop', dir);
  await open(t, 'api', dir);
  await t.rejects(connectTo(dir), { code: 'NAME_NEEDED', exitCode: 2, hint: /--name: api, shop/ });
  t.equal((await connectTo(dir, 'api')).name, 'api');
});

t.test('a supervisor that does not answer for its status is an error that says so', async (t) => {
  const dir = makeFolder(t);
  await impostor(t, dir, 'hung', () => {});
  const connection = await connectTo(dir, 'hung');
  await t.rejects(connection.status(200), { code: 'NOT_ANSWERING', exitCode: 1, message: /within 0.2 s/ });
});

t.test('performs a request: progress lines first, then the result', async (t) => {
  const { dir, target } = await open(t);
  target.perform = async (progress) => {
    progress({ type: 'progress', message: 'worker ready', fields: { slot: 1 } });
    return OK;
  };
  const connection = await connectTo(dir);
  const lines: ProgressLine[] = [];
  for (const action of ['reload', 'restart', { scale: '+2' }] as const) {
    const result = await connection.perform(action, (line) => lines.push(line));
    t.same(result, { type: 'result', ...OK });
  }
  t.equal(lines.length, 3);
  t.match(lines[0], { message: 'worker ready', fields: { slot: 1 } });
  t.same(target.calls, ['reload', 'restart', 'scale +2']);
});

t.test('a stop is done when the supervisor has closed its socket', async (t) => {
  const { dir, target, server } = await open(t);
  target.perform = async () => {
    setImmediate(() => void server.close());
    return { ok: true, message: 'stopped', reason: null };
  };
  const connection = await connectTo(dir);
  t.match(await connection.perform('stop', () => {}), { ok: true });
  t.same(await listSupervisors(dir), []);
});

t.test('what the server refuses is an error with its reason', async (t) => {
  const { dir, target } = await open(t);
  const connection = await connectTo(dir);
  await t.rejects(
    connection.perform({ scale: 'abc' }, () => {}),
    { code: 'REFUSED', message: /^cannot scale shop: the body must be / },
  );
  t.same(target.calls, []);
});

t.test('a supervisor that goes away before the result is a lost connection', async (t) => {
  const dir = makeFolder(t);
  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  await impostor(t, dir, 'early', (socket) => socket.once('data', () => socket.destroy()));
  await impostor(t, dir, 'midway', (socket) => socket.once('data', () => socket.end(`${head}2\r\n{}`)));
  await impostor(t, dir, 'silent', (socket) => socket.once('data', () => socket.end(`${head}0\r\n\r\n`)));
  for (const name of ['early', 'midway', 'silent']) {
    const connection = await connectTo(dir, name);
    await t.rejects(
      connection.perform('reload', () => {}),
      { code: 'CONNECTION_LOST', exitCode: 1, message: new RegExp(`^cannot reload ${name}: .*lost`) },
    );
  }
});

t.test('a result counts, however the connection ends after it', async (t) => {
  const dir = makeFolder(t);
  const line = 'id: 1\nevent: result\ndata: {"ok":true,"message":"stopped","reason":null}\n\n';
  const answer = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${line.length.toString(16)}\r\n${line}\r\n`;
  await impostor(t, dir, 'shop', (socket) => socket.once('data', () => socket.end(answer)));
  t.match(await (await connectTo(dir)).perform('stop', () => {}), { ok: true, message: 'stopped' });
});

/** As one of before the API had versions: what is under a version is not there. */
async function oldSupervisor(t: Test, dir: string, asked: string[]): Promise<void> {
  const lines =
    '{"type":"progress","message":"worker ready","fields":{}}\n{"type":"result","ok":true,"message":"reload","reason":null}\n';
  await impostor(t, dir, 'old', (socket) =>
    socket.once('data', (bytes) => {
      const [, whole = ''] = String(bytes).split(' ');
      asked.push(whole);
      const [path = ''] = whole.split('?');
      const known = { '/status': JSON.stringify(statusOf('old')), '/reload': lines, '/logs': '{"msg":"one"}\n' };
      const body = known[path as keyof typeof known] ?? '{"error":"cannot find it: there is /status, /reload"}';
      socket.end(
        `HTTP/1.1 ${path in known ? 200 : 404} OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    }),
  );
}

t.test('a supervisor that runs since before the API had versions is asked as it was then', async (t) => {
  const dir = makeFolder(t);
  const asked: string[] = [];
  await oldSupervisor(t, dir, asked);
  t.same(await listSupervisors(dir), [{ name: 'old', status: statusOf('old') }]);
  const connection = await connectTo(dir, 'old');
  const lines: ProgressLine[] = [];
  t.match(await connection.perform('reload', (line) => lines.push(line)), { ok: true, message: 'reload' });
  t.match(lines, [{ message: 'worker ready' }]);
  for await (const line of connection.logs()) t.equal(line, '{"msg":"one"}');
  t.same(
    asked.filter((path) => path !== ''),
    ['/v1/status', '/status', '/v1/reload', '/reload', '/v1/logs', '/logs'],
  );
  const past = connection.logs(undefined, { lines: 20, follow: false }).next();
  await t.rejects(past, { code: 'REFUSED', message: /another version/ }, 'it would follow them, and never end');
  await t.rejects(connection.events().next(), {
    code: 'REFUSED',
    message: /^cannot follow the events of old: cannot find it: there is \/status/,
    hint: /another version/,
  });
});

t.test('follows events: how things are first, then each as it comes', async (t) => {
  const { dir, target, server } = await open(t);
  const connection = await connectTo(dir);
  const events = connection.events();
  t.same((await events.next()).value, SNAPSHOT);
  target.tell({ id: 8, type: 'sizeChanged', from: 2, to: 3 });
  t.same((await events.next()).value, { id: 8, type: 'sizeChanged', from: 2, to: 3 });
  await events.return();
  const interrupt = new AbortController();
  const others = connection.events(interrupt.signal);
  await others.next();
  interrupt.abort();
  t.same(await others.next(), { value: undefined, done: true });
  const last = connection.events();
  await last.next();
  void server.close();
  t.same(await last.next(), { value: undefined, done: true });
  t.equal(target.eventReaders.size, 0);
});

t.test('events that were cut off say why', async (t) => {
  const dir = makeFolder(t);
  const text = 'id: 1\nevent: cutOff\ndata: {"reason":"too slow"}\n\n';
  await impostor(t, dir, 'shop', (socket) =>
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`)),
  );
  await t.rejects((await connectTo(dir)).events().next(), { code: 'CUT_OFF', message: /too slow/ });
});

t.test('follows logs until it is told to stop', async (t) => {
  const { dir, target } = await open(t);
  const following = deferred();
  target.onFollow = following.resolve;
  const connection = await connectTo(dir);
  const interrupt = new AbortController();
  void following.promise.then(() => {
    target.log('{"msg":"one"}');
    target.log('{"msg":"zwei: ü"}');
  });
  const lines: string[] = [];
  for await (const line of connection.logs(interrupt.signal)) {
    lines.push(line);
    if (lines.length === 2) interrupt.abort();
  }
  t.same(lines, ['{"msg":"one"}', '{"msg":"zwei: ü"}']);
});

t.test('logs end with the supervisor, and fail when it is lost', async (t) => {
  const { dir, target, server } = await open(t, 'shop');
  target.onFollow = () => {
    target.log('{"msg":"last"}');
    void server.close();
  };
  const lines: string[] = [];
  for await (const line of (await connectTo(dir, 'shop')).logs()) lines.push(line);
  t.same(lines, ['{"msg":"last"}']);

  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  await impostor(t, dir, 'killed', (socket) => socket.once('data', () => socket.end(`${head}3\r\n{}\n\r\n`)));
  const follow = async () => {
    for await (const line of (await connectTo(dir, 'killed')).logs()) lines.push(line);
  };
  await t.rejects(follow(), { code: 'CONNECTION_LOST' });
  t.same(lines, ['{"msg":"last"}', '{}'], 'what came before is not lost');
});

t.test('a name that is no file name finds nothing', async (t) => {
  const { dir } = await open(t, 'shop');
  await t.rejects(connectTo(dir, '../shop'), { code: 'NO_SUPERVISOR', exitCode: 3 });
});

t.test('what another program answers on a socket is no status', async (t) => {
  const dir = makeFolder(t);
  let answer = '';
  const server = http.createServer((_request, response) => response.end(answer));
  server.listen(path.join(dir, 'shop.sock'));
  await once(server, 'listening');
  t.teardown(() => server.close());
  const statuses = [
    '5',
    'null',
    '{"name":"shop"}',
    JSON.stringify({ ...statusOf('shop'), workers: [null] }),
    JSON.stringify({ ...statusOf('shop'), addresses: [{ host: 5, sockets: [] }] }),
    JSON.stringify({ ...statusOf('shop'), rollout: null }),
  ];
  for (const text of statuses) {
    answer = text;
    await t.rejects((await connectTo(dir, 'shop')).status(), {
      code: 'NOT_ANSWERING',
      message: /not a status as holdfast gives it/,
    });
    t.match(await listSupervisors(dir), [{ name: 'shop', status: null }]);
  }
  answer = 'x'.repeat(17 * 1024 ** 2);
  await t.rejects((await connectTo(dir, 'shop')).status(), { message: /longer than 16 MiB/ });
  answer = JSON.stringify(statusOf('shop'));
  t.equal((await (await connectTo(dir, 'shop')).status()).name, 'shop');
});
