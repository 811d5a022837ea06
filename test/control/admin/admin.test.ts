import http from 'node:http';
import { brotliDecompressSync } from 'node:zlib';
import t from 'tap';
import { AdminServer } from '../../../src/control/admin/admin.js';
import type { MetricsRequest } from '../../../src/protocol/admin.js';
import { statusOf } from '../support/fake-target.js';
import { ask, FakeAdmin, NO_TOKENS, open, raw, readPage } from '../support/open-admin.js';

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
    t.match(JSON.parse(refused.text), { error: `cannot ${method} /status: this only tells, and takes GET` });
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

t.test(
  'the status is made a few times a second and given out a limited number of times, which others do not suffer from',
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
      answers.push(...(await Promise.all(Array.from({ length: 40 }, () => ask(port, '/status')))));
    }
    const seconds = (performance.now() - began) / 1000;
    t.ok(made <= 1 + seconds / 0.25, `made ${made} times in ${seconds} s`);
    const refused = answers.filter(({ statusCode }) => statusCode === 503);
    t.ok(answers.length - refused.length <= 51 + 50 * seconds, `${refused.length} were refused`);
    t.match(refused[0], { headers: { 'retry-after': '1' } });
    for (const path of ['/readyz', '/metrics', '/']) {
      t.equal((await ask(port, path)).statusCode, 200, `${path} is answered all the same`);
    }
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
  t.match(
    await raw(port, `GET /metrics HTTP/1.1\r\n${head}Cache-Control: max-age=0,No-Cache\r\n\r\n`),
    /content-length: 2\r\n/,
  );
  await raw(port, `GET /metrics?scope=worker HTTP/1.1\r\n${head}accept: a/b;q=0.5\r\nAccept: c/d\r\n\r\n`);
  await raw(port, `GET http://localhost/metrics?scope=all&scope=worker#x HTTP/1.1\r\n${head}\r\n`);
  t.same(asked, [
    { accept: null, byWorker: false, noCache: true },
    { accept: 'a/b;q=0.5, c/d', byWorker: true, noCache: false },
    { accept: null, byWorker: false, noCache: false },
  ]);
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

t.test("an address that is taken is the system's error", async (t) => {
  const { port } = await open(t);
  const second = AdminServer.open({
    ...{ host: '127.0.0.1', port, names: [], tokens: NO_TOKENS, target: new FakeAdmin(), readPage },
  });
  await t.rejects(second, { code: 'EADDRINUSE' });
});
