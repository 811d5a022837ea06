import t from 'tap';
import { Access } from '../../../src/control/admin/admin-access.js';
import { ask, bearer, listen, open, raw, TOKEN } from '../support/open-admin.js';

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
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 200],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, 403],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'object' }, 403],
  ] as const) {
    for (const path of ['/status', '/metrics']) {
      t.equal((await ask(port, path, 'GET', headers)).statusCode, statusCode, `${path} ${JSON.stringify(headers)}`);
    }
    t.equal((await ask(port, '/livez', 'GET', headers)).statusCode, 200);
  }
  const behind = { origin: 'https://shop.internal', host: 'shop.internal' };
  t.equal((await ask(port, '/status', 'GET', behind)).statusCode, 200, 'behind a proxy that speaks TLS');
});

t.test('where others can come a browser is given a session for the token', async (t) => {
  const { port } = await open(t, { host: null, tokens: { admin: TOKEN, metrics: null } });
  t.equal((await ask(port, '/')).statusCode, 200, 'the page asks for the token');
  t.equal((await ask(port, '/feed')).statusCode, 401);
  t.equal((await ask(port, '/session', 'POST')).statusCode, 401);
  t.equal((await ask(port, '/session', 'POST', bearer('not-the-token-at-all'))).statusCode, 401);
  t.match(await ask(port, '/session'), {
    text: '{"error":"cannot GET /session: it takes POST"}\n',
    headers: { allow: 'POST' },
  });
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
