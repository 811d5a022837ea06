import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { AdminServer, type AdminServerOptions } from '../../../src/control/admin/admin.js';
import { Access } from '../../../src/control/admin/admin-access.js';
import type { AdminTarget, MetricsRequest } from '../../../src/protocol/admin.js';
import type { ControlResult } from '../../../src/protocol/control.js';
import type { PageCommand, PageEvent } from '../../../src/protocol/page.js';
import { freePort } from '../../e2e/support/ports.js';
import { deferred, statusOf } from '../support/fake-target.js';

class FakeAdmin implements AdminTarget {
  ok = true;
  readonly probe = (name: string) => ({ ok: this.ok, reason: `asked for ${name}` });
  readonly commands: string[] = [];
  command = async (name: PageCommand, size: string): Promise<ControlResult> => {
    this.commands.push(`${name} ${size}`);
    return name === 'abort'
      ? { ok: false, message: 'failed', reason: 'nothing is under way' }
      : { ok: true, message: 'done', reason: null };
  };
  readonly readers = new Set<(event: PageEvent) => void>();
  status = async () => statusOf('shop');
  follow = (onEvent: (event: PageEvent) => void) => {
    this.readers.add(onEvent);
    onEvent({ event: 'history', data: { at: [1], values: [], marks: [] } });
    return () => this.readers.delete(onEvent);
  };
  metrics = async (_request: MetricsRequest) => ({
    contentType: 'text/plain; version=0.0.4',
    body: Buffer.from('up 1\n'),
  });
}

const readPage = async (name: string) => brotliCompressSync(`the file ${name}`);
const NO_TOKENS = { admin: null, metrics: null };

async function open(
  t: Test,
  more: Partial<AdminServerOptions> = {},
): Promise<{ port: number; target: FakeAdmin; server: AdminServer }> {
  const target = new FakeAdmin();
  const port = await freePort();
  const own = { host: '127.0.0.1', port, names: ['shop.internal'], tokens: NO_TOKENS, target, readPage };
  const server = await AdminServer.open({ ...own, ...more });
  t.teardown(() => server.close());
  return { port, target, server };
}

async function ask(port: number, path: string, method = 'GET', sent: http.OutgoingHttpHeaders = {}) {
  const request = http.request({ host: '127.0.0.1', port, path, method, headers: sent, agent: false }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const { statusCode, headers } = response;
  return { statusCode, headers, text: await text(response) };
}

/** What comes back for raw bytes, until the server has ended the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(bytes);
  return text(socket).catch(() => '');
}

t.test('each probe is asked for, and its answer is a status with a reason in words', async (t) => {
  const { port, target } = await open(t);
  for (const name of ['livez', 'readyz', 'startupz']) {
    target.ok = true;
    t.match(await ask(port, `/${name}`), { statusCode: 200, text: `ok: asked for ${name}\n` });
    target.ok = false;
    const failed = await ask(port, `/${name}?verbose`);
    t.match(failed, { statusCode: 503, text: `not ok: asked for ${name}\n` });
    t.match(failed.headers, { connection: 'close', 'cache-control': 'no-store', 'content-type': /^text\/plain/ });
  }
});

t.test('status and metrics', async (t) => {
  const { port } = await open(t);
  const status = await ask(port, '/status');
  t.equal(status.headers['content-type'], 'application/json');
  t.same(JSON.parse(status.text), statusOf('shop'));
  t.match(await ask(port, '/metrics'), { statusCode: 200, text: 'up 1\n', headers: { 'content-type': /version=0/ } });
});

t.test('HEAD gets the head alone', async (t) => {
  const { port } = await open(t);
  const answer = await ask(port, '/readyz', 'HEAD');
  t.match(answer, { statusCode: 200, text: '' });
  t.equal(answer.headers['content-length'], String('ok: asked for readyz\n'.length));
});

t.test('it only tells: every other method is refused, and every other path', async (t) => {
  const { port } = await open(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const refused = await ask(port, '/status', method);
    t.equal(refused.statusCode, 405, method);
    t.equal(refused.headers.allow, 'GET, HEAD');
    t.match(JSON.parse(refused.text), { error: `cannot ${method} /status: this address only tells` });
  }
  const missing = await ask(port, '/reload');
  t.equal(missing.statusCode, 404);
  t.match(missing.text, /there is \/livez, \/readyz, \/startupz, \/status, \/metrics/);
  t.equal((await ask(port, '/reload', 'POST')).statusCode, 404);
});

t.test('a status that fails is told, and the next one works', async (t) => {
  const { port, target } = await open(t);
  target.status = () => Promise.reject(new Error('no status today'));
  t.match(await ask(port, '/status'), { statusCode: 500, text: '{"error":"no status today"}\n' });
  target.status = async () => statusOf('shop');
  t.equal((await ask(port, '/status')).statusCode, 200);
});

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

t.test(
  'the status is made a few times a second, and it and metrics are given out a limited number of times',
  async (t) => {
    const { port, target } = await open(t);
    let made = 0;
    target.status = async () => {
      made += 1;
      return statusOf('shop');
    };
    const began = performance.now();
    const answers: Awaited<ReturnType<typeof ask>>[] = [];
    // A machine that is busy needs more of them until they come too quickly.
    for (let i = 0; i < 10 || (i < 200 && answers.every(({ statusCode }) => statusCode !== 503)); i++) {
      const paths = Array.from({ length: 40 }, (_none, at) => (at % 2 === 0 ? '/status' : '/metrics'));
      answers.push(...(await Promise.all(paths.map((path) => ask(port, path)))));
    }
    const seconds = (performance.now() - began) / 1000;
    t.ok(made <= 1 + seconds / 0.25, `made ${made} times in ${seconds} s`);
    const refused = answers.filter(({ statusCode }) => statusCode === 503);
    t.ok(answers.length - refused.length <= 51 + 50 * seconds, `${refused.length} were refused`);
    t.match(refused[0], { headers: { 'retry-after': '1' } });
    t.equal((await ask(port, '/readyz')).statusCode, 200, 'probes are answered all the same');
  },
);

t.test('metrics are asked for with what the scraper accepts, and for each worker where that is wanted', async (t) => {
  const { port, target } = await open(t);
  const asked: MetricsRequest[] = [];
  target.metrics = async (request) => {
    asked.push(request);
    return { contentType: 'text/plain', body: Buffer.from([0, 255]) };
  };
  const head = 'host: localhost\r\n';
  t.match(await raw(port, `GET /metrics HTTP/1.1\r\n${head}\r\n`), /content-length: 2\r\n/);
  await raw(port, `GET /metrics?scope=worker HTTP/1.1\r\n${head}accept: a/b;q=0.5\r\nAccept: c/d\r\n\r\n`);
  await raw(port, `GET http://localhost/metrics?scope=all&scope=worker#x HTTP/1.1\r\n${head}\r\n`);
  t.same(asked, [
    { accept: null, byWorker: false },
    { accept: 'a/b;q=0.5, c/d', byWorker: true },
    { accept: null, byWorker: false },
  ]);
});

t.test('it answers to its numbers, to localhost and to the names of the configuration', async (t) => {
  const { port } = await open(t);
  const under = async (host: string | null, version = '1.1') =>
    (await raw(port, `GET /status HTTP/${version}\r\n${host === null ? '' : `host: ${host}\r\n`}\r\n`)).slice(9, 12);
  for (const host of [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    '10.1.2.3:80',
    '[::1]:9',
    'LOCALHOST',
    `shop.internal:${port}`,
  ]) {
    t.equal(await under(host), '200', host);
  }
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
    '[x]',
  ]) {
    t.equal(await under(host), '421', host);
  }
  t.equal(await under(null, '1.0'), '200', 'a load balancer that speaks HTTP/1.0');
  t.equal(await under(null), '400');
  t.equal(await under('localhost\r\nhost: evil.example'), '400');
  const absolute = await raw(port, 'GET http://evil.example/status HTTP/1.1\r\nhost: localhost\r\n\r\n');
  t.match(absolute, /^HTTP\/1\.1 421/, 'the name in the target is the one that counts');
});

const TOKEN = 'a-token-of-some-length';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

t.test('where others can come probes and metrics are for everybody, and the status takes the token', async (t) => {
  const { port: closed } = await open(t, { host: null });
  t.equal((await ask(closed, '/livez')).statusCode, 200);
  t.equal((await ask(closed, '/metrics')).statusCode, 200);
  const refused = await ask(closed, '/status', 'GET', bearer(TOKEN));
  t.equal(refused.statusCode, 403, 'where there is none, nobody has it');
  t.match(refused.text, /set adminTokenFile/);

  const { port } = await open(t, { host: null, tokens: { admin: TOKEN, metrics: null } });
  for (const path of ['/livez', '/readyz', '/startupz', '/metrics'])
    t.equal((await ask(port, path)).statusCode, 200, path);
  for (const headers of [
    {},
    bearer(''),
    bearer(`${TOKEN}x`),
    bearer(TOKEN.slice(0, -1)),
    { authorization: `Basic ${TOKEN}` },
    { authorization: TOKEN },
    { cookie: `token=${TOKEN}` },
  ]) {
    const { statusCode, headers: told } = await ask(port, '/status', 'GET', headers);
    t.equal(statusCode, 401, JSON.stringify(headers));
    t.equal(told['www-authenticate'], 'Bearer');
  }
  t.equal((await ask(port, `/status?token=${TOKEN}`)).statusCode, 401, 'never in a URL');
  t.equal((await ask(port, '/status', 'GET', bearer(TOKEN))).statusCode, 200);
  t.equal((await ask(port, '/status', 'GET', { authorization: `bearer  ${TOKEN}` })).statusCode, 200);
  const twice = `GET /status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`;
  t.match(await raw(port, twice), /^HTTP\/1\.1 401/);
});

t.test('metrics take a token of their own where one is given, on loopback as well', async (t) => {
  const METRICS = 'another-token-than-that';
  for (const host of [null, '127.0.0.1']) {
    const { port } = await open(t, { host, tokens: { admin: TOKEN, metrics: METRICS } });
    t.equal((await ask(port, '/metrics')).statusCode, 401);
    t.equal((await ask(port, '/metrics', 'GET', bearer(METRICS))).statusCode, 200);
    t.equal((await ask(port, '/metrics', 'GET', bearer(TOKEN))).statusCode, 200, 'who may see all may see those');
    const status = await ask(port, '/status', 'GET', bearer(METRICS));
    t.equal(status.statusCode, host === null ? 401 : 200, 'and not the other way');
    t.equal((await ask(port, '/livez')).statusCode, 200);
  }
  const { port } = await open(t, { host: null, tokens: { admin: null, metrics: METRICS } });
  t.equal((await ask(port, '/status', 'GET', bearer(METRICS))).statusCode, 403);
});

t.test('a page of another site is told nothing', async (t) => {
  const { port } = await open(t);
  const own = `http://127.0.0.1:${port}`;
  for (const [headers, statusCode] of [
    [{ origin: own }, 200],
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'http://127.0.0.1:1' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: '' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, 200],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 200],
  ] as const) {
    for (const path of ['/status', '/metrics']) {
      t.equal((await ask(port, path, 'GET', headers)).statusCode, statusCode, `${path} ${JSON.stringify(headers)}`);
    }
    t.equal((await ask(port, '/livez', 'GET', headers)).statusCode, 200);
  }
  const behind = { origin: 'https://shop.internal', host: 'shop.internal' };
  t.equal((await ask(port, '/status', 'GET', behind)).statusCode, 200, 'behind a proxy that speaks TLS');
});

t.test('the page is three files, packed where the browser takes that, under a strict policy', async (t) => {
  const { port } = await open(t);
  for (const [path, name, type] of [
    ['/', 'index.html', /^text\/html/],
    ['/page.js', 'page.js', /^text\/javascript/],
    ['/page.css', 'page.css', /^text\/css/],
  ] as const) {
    const { statusCode, headers, text } = await ask(port, path);
    t.match({ statusCode, text }, { statusCode: 200, text: `the file ${name}` });
    t.match(headers['content-type'], type);
    t.equal(headers['x-content-type-options'], 'nosniff');
    const policy = String(headers['content-security-policy']);
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) t.match(policy, rule);
    t.notMatch(policy, /unsafe|https?:/);
  }
  const response = await new Promise<http.IncomingMessage>((resolve) =>
    http.get({ host: '127.0.0.1', port, path: '/', headers: { 'accept-encoding': 'gzip, br' }, agent: false }, resolve),
  );
  t.equal(response.headers['content-encoding'], 'br');
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  t.equal(brotliDecompressSync(Buffer.concat(parts)).toString(), 'the file index.html');
  t.equal((await ask(port, '/', 'GET', { 'accept-encoding': 'br;q=0' })).headers['content-encoding'], undefined);
});

/** A stream of events that is open: what has come of it, and what ends it. */
async function listen(t: Test, port: number, headers: http.OutgoingHttpHeaders = {}) {
  const request = http.get({ host: '127.0.0.1', port, path: '/feed', headers, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  t.teardown(() => request.destroy());
  response.on('error', () => {});
  let said = '';
  response.setEncoding('utf8').on('data', (more: string) => {
    said += more;
  });
  const heard = async (what: string) => {
    while (!said.includes(what)) await once(response, 'data');
    return said;
  };
  return { request, response, heard };
}

t.test('a stream tells what happens until its reader goes, and there are only so many', async (t) => {
  const { port, target } = await open(t);
  const { request, response, heard } = await listen(t, port);
  t.equal(response.headers['content-type'], 'text/event-stream');
  t.match(await heard('history'), 'event: history\ndata: {"at":[1],"values":[],"marks":[]}\n\n');
  for (const tell of target.readers)
    tell({ event: 'mark', data: { id: 1, at: 2, kind: 'scale', text: 'a\n\nevent: forged', details: [] } });
  t.match(
    await heard('event: mark'),
    'data: {"id":1,"at":2,"kind":"scale","text":"a\\n\\nevent: forged","details":[]}\n\n',
    'on one line',
  );
  const others = await Promise.all(Array.from({ length: 15 }, () => listen(t, port)));
  t.equal(target.readers.size, 16);
  t.equal((await ask(port, '/feed')).statusCode, 503, 'the next one');
  t.equal((await ask(port, '/livez')).statusCode, 200, 'probes have room');
  request.destroy();
  for (const { request: other } of others) other.destroy();
  while (target.readers.size > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal((await listen(t, port)).response.statusCode, 200);
});

t.test('a reader that does not read is sent away: nothing is kept for it', async (t) => {
  const { port, target } = await open(t);
  const slow = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => void slow.destroy());
  slow.write('GET /feed HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await once(slow, 'readable');
  const lines = ['x'.repeat(64 * 1024)];
  for (let i = 0; target.readers.size > 0 && i < 10_000; i++) {
    for (const tell of target.readers) tell({ event: 'logs', data: { lines, left: 0 } });
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(target.readers.size, 0);
});

t.test('a close ends streams', async (t) => {
  const { port, server } = await open(t);
  const { response } = await listen(t, port);
  const ended = once(response, 'close');
  await server.close();
  await ended;
});

t.test('where others can come a browser is given a session for the token', async (t) => {
  const { port } = await open(t, { host: null, tokens: { admin: TOKEN, metrics: null } });
  t.equal((await ask(port, '/')).statusCode, 200, 'the page asks for the token');
  t.equal((await ask(port, '/feed')).statusCode, 401);
  t.equal((await ask(port, '/session', 'POST')).statusCode, 401);
  t.equal((await ask(port, '/session', 'POST', bearer('not-the-token-at-all'))).statusCode, 401);
  t.match((await ask(port, '/session')).headers, { allow: 'POST' });
  const foreign = { ...bearer(TOKEN), origin: 'http://evil.example' };
  t.equal((await ask(port, '/session', 'POST', foreign)).statusCode, 403);
  const { statusCode, headers } = await ask(port, '/session', 'POST', bearer(TOKEN));
  t.equal(statusCode, 204);
  const [set = ''] = headers['set-cookie'] ?? [];
  t.match(set, /; Path=\/; HttpOnly; SameSite=Strict$/);
  t.notMatch(set, TOKEN);
  const cookie = set.split(';')[0] ?? '';
  t.equal((await ask(port, '/status', 'GET', { cookie: `a=b; ${cookie}` })).statusCode, 200);
  t.equal((await listen(t, port, { cookie })).response.statusCode, 200);
  const [name = '', value = ''] = cookie.split('=');
  const [until = '', mark = ''] = value.split('.');
  for (const wrong of [
    `${name}=${Number(until) + 1}.${mark}`,
    `${name}=1.${mark}`,
    `${name}=${until}.${mark}x`,
    `${name}=${until}`,
    `holdfast-1=${value}`,
  ]) {
    t.equal((await ask(port, '/status', 'GET', { cookie: wrong })).statusCode, 401, wrong);
  }
  const other = await open(t, { host: null, tokens: { admin: `${TOKEN}-changed`, metrics: null } });
  const own = `holdfast-${other.port}=${value}`;
  t.equal((await ask(other.port, '/status', 'GET', { cookie: own })).statusCode, 401, 'of another token');
});

t.test('commands take the token, on loopback as well, and none is there without one', async (t) => {
  const { port: closed } = await open(t);
  t.equal((await ask(closed, '/reload', 'POST', bearer(TOKEN))).statusCode, 404);
  t.match(await (await listen(t, closed)).heard('access'), 'data: {"commands":"no"}');
  const { port, target } = await open(t, { tokens: { admin: TOKEN, metrics: null } });
  t.match(await (await listen(t, port)).heard('access'), 'data: {"commands":"token"}');
  t.match(await (await listen(t, port, bearer(TOKEN))).heard('access'), 'data: {"commands":"yes"}');
  for (const name of ['reload', 'promote', 'abort', 'scale']) {
    t.equal((await ask(port, `/${name}`, 'POST')).statusCode, 401, name);
    t.equal((await ask(port, `/${name}`, 'GET', bearer(TOKEN))).statusCode, 405, name);
    const foreign = { ...bearer(TOKEN), origin: 'http://evil.example' };
    t.equal((await ask(port, `/${name}`, 'POST', foreign)).statusCode, 403, name);
  }
  t.same(target.commands, []);
  t.match(await ask(port, '/reload', 'POST', bearer(TOKEN)), {
    statusCode: 200,
    text: '{"message":"done","reason":null}\n',
  });
  t.match(await ask(port, '/abort', 'POST', bearer(TOKEN)), { statusCode: 409, text: /nothing is under way/ });
  await ask(port, '/scale?size=%2B2', 'POST', bearer(TOKEN));
  t.same(target.commands, ['reload ', 'abort ', 'scale +2']);
  target.command = () => new Promise(() => {});
  t.match(await ask(port, '/reload', 'POST', bearer(TOKEN)), { statusCode: 202, text: /under way/ });
});

t.test('a session ends', async (t) => {
  let now = 1_000_000;
  const access = new Access({ admin: TOKEN, metrics: null }, 1, () => now);
  const request = (headers: Record<string, string>) => ({
    ...{ method: 'GET', path: '/', query: '', host: null },
    headers: new Map(Object.entries(headers)),
  });
  const cookie = access.openSession(request(bearer(TOKEN)))?.split(';')[0] ?? '';
  t.ok(access.isAdmin(request({ cookie })));
  t.equal(access.openSession(request({ cookie })), null, 'and is not renewed by itself');
  now += 12 * 3600 * 1000;
  t.notOk(access.isAdmin(request({ cookie })));
});

t.test("an address that is taken is the system's error", async (t) => {
  const { port } = await open(t);
  const second = AdminServer.open({
    ...{ host: '127.0.0.1', port, names: [], tokens: NO_TOKENS, target: new FakeAdmin(), readPage },
  });
  await t.rejects(second, { code: 'EADDRINUSE' });
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
