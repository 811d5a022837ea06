import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { brotliCompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { DashboardServer } from '../../../src/control/admin/dashboard.js';
import type { DashboardList } from '../../../src/protocol/page.js';

const readPage = async (name: string) => brotliCompressSync(`the file ${name}`);
const EMPTY: DashboardList = { folder: '/run/holdfast', rows: [] };

async function open(t: Test, list: () => Promise<DashboardList> = async () => EMPTY) {
  const server = await DashboardServer.open({ port: 0, list, readPage });
  t.teardown(() => server.close());
  const { port } = new URL(server.url);
  return async (path: string, { method = 'GET', headers = {} }: http.RequestOptions = {}) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    return { statusCode: response.statusCode, headers: response.headers, text: await text(response) };
  };
}

t.test('it has the files of its page, under a strict policy, and the list', async (t) => {
  const ask = await open(t);
  for (const [path, file] of [
    ['/', 'dashboard.html'],
    ['/dashboard.js', 'dashboard.js'],
    ['/page.css', 'page.css'],
  ] as const) {
    const { statusCode, headers, text } = await ask(path);
    t.match({ statusCode, text }, { statusCode: 200, text: `the file ${file}` });
    t.match(headers['content-security-policy'], /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'$/);
    t.match(headers, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  }
  t.same(JSON.parse((await ask('/list')).text), EMPTY);
  t.match(await ask('/list', { method: 'HEAD' }), { statusCode: 200, text: '' });
});

t.test('it only tells, under its own name, and no page of another site', async (t) => {
  const ask = await open(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    t.match(await ask('/list', { method }), { statusCode: 405, headers: { allow: 'GET, HEAD' } }, method);
  t.match(await ask('/elsewhere'), { statusCode: 404, text: /there is \/, \/dashboard\.js, \/page\.css, \/list/ });
  for (const host of ['evil.example', 'evil.example:9645', '127.0.0.1.evil.example'])
    for (const path of ['/', '/list']) t.match(await ask(path, { headers: { host } }), { statusCode: 421 }, host);
  for (const host of ['localhost', '127.0.0.1:9645', '[::1]'])
    t.match(await ask('/list', { headers: { host } }), { statusCode: 200 }, host);
  const asks = (headers: http.OutgoingHttpHeaders) => ask('/list', { headers: { host: '127.0.0.1:9', ...headers } });
  t.match(await asks({ origin: 'http://evil.example' }), { statusCode: 403 });
  t.match(await asks({ origin: 'null' }), { statusCode: 403 });
  t.match(await asks({ 'sec-fetch-site': 'same-site' }), { statusCode: 403 });
  t.match(await asks({ origin: 'http://127.0.0.1:9', 'sec-fetch-site': 'same-origin' }), { statusCode: 200 });
});

t.test('however many ask, supervisors are asked once; what goes wrong is told', async (t) => {
  let asked = 0;
  const ask = await open(t, async () => {
    asked += 1;
    return EMPTY;
  });
  await Promise.all(Array.from({ length: 20 }, () => ask('/list')));
  t.equal(asked, 1);
  const fails = await open(t, async () => {
    throw new Error('the folder is not safe');
  });
  t.match(await fails('/list'), { statusCode: 500, text: '{"error":"the folder is not safe"}\n' });
});
