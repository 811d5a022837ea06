import fc from 'fast-check';
import t from 'tap';
import { connectTo } from '../../../src/control/client/find.js';
import { readReloadOptions } from '../../../src/control/options/reload-options.js';
import { OK, open } from '../support/fake-target.js';
import { ask, jsonLines } from '../support/http.js';

t.test('a reload without a body, or with an empty object, is a plain one', async (t) => {
  const { server, target } = await open(t);
  for (const body of [undefined, '', ' \n', '{}', '{"dryRun":false}']) {
    t.equal((await ask(server.path, 'POST', '/reload', body)).statusCode, 200, JSON.stringify(body) ?? 'none');
  }
  t.strictSame(target.calls, Array(5).fill('reload'));
});

t.test('a canary and a dry run are passed on as they were asked for', async (t) => {
  const { server, target } = await open(t);
  const canary = { share: 0.05, forMs: 120_000 };
  await ask(server.path, 'POST', '/reload', JSON.stringify({ canary }));
  await ask(server.path, 'POST', '/reload', '{"dryRun":true}');
  t.strictSame(target.calls, [`reload ${JSON.stringify({ canary })}`, 'reload {"dryRun":true}']);
});

t.test('a body that is no request for a reload is refused with what is allowed, and nothing is reloaded', async (t) => {
  const { server, target } = await open(t);
  const bodies = [
    'null',
    '[]',
    '5',
    '"dryRun"',
    '{"dryrun":true}',
    '{"dryRun":"yes"}',
    '{"dryRun":null}',
    '{"canary":null}',
    '{"canary":"5%"}',
    '{"canary":[0.1,5000]}',
    '{"canary":{}}',
    '{"canary":{"share":0.1}}',
    '{"canary":{"forMs":5000}}',
    '{"canary":{"share":"0.1","forMs":5000}}',
    '{"canary":{"share":0.1,"forMs":"2m"}}',
    '{"canary":{"share":0.1,"forMs":5000,"slot":1}}',
    '{"dryRun":true,"canary":{"share":0.1,"forMs":5000}}',
  ];
  for (const body of bodies) {
    const { statusCode, text } = await ask(server.path, 'POST', '/reload', body);
    t.equal(statusCode, 400, body);
    t.match(JSON.parse(text), { error: /^cannot reload: the body must be empty, .*"dryRun".*"canary"/ }, body);
  }
  t.strictSame(target.calls, []);
});

t.test('a canary gets more than nothing and at most half, for a second to a day', async (t) => {
  const read = (share: unknown, forMs: unknown) => readReloadOptions({ canary: { share, forMs } }) !== null;
  const table: [share: number, forMs: number, allowed: boolean][] = [
    [0, 5000, false],
    [-0.1, 5000, false],
    [Number.MIN_VALUE, 5000, true],
    [0.5, 5000, true],
    [0.501, 5000, false],
    [Number.NaN, 5000, false],
    [0.1, 999, false],
    [0.1, 1000, true],
    [0.1, 86_400_000, true],
    [0.1, 86_400_001, false],
    [0.1, Number.NaN, false],
  ];
  for (const [share, forMs, allowed] of table) t.equal(read(share, forMs), allowed, `${share} for ${forMs}`);
});

t.test('whatever is sent, what is read is one of the three requests, or none', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (dryRun, canary) => {
      const read = readReloadOptions({ dryRun, canary });
      return read === null || Object.keys(read).length < 2;
    }),
  );
});

t.test('promote and abort are requests of their own, by POST only', async (t) => {
  const { server, target } = await open(t);
  for (const verb of ['promote', 'abort']) {
    const { statusCode, headers } = await ask(server.path, 'GET', `/${verb}`);
    t.match({ statusCode, headers }, { statusCode: 405, headers: { allow: 'POST' } });
    t.strictSame(jsonLines((await ask(server.path, 'POST', `/${verb}`)).text), [{ type: 'result', ...OK }]);
  }
  t.strictSame(target.calls, ['promote', 'abort']);
});

t.test('the client asks for each of them, and hears of the changes', async (t) => {
  const { dir, target } = await open(t);
  const connection = await connectTo(dir);
  const changes = [{ what: 'option', name: 'instances', from: '2', to: '3' }] as const;
  target.perform = async () => ({ ...OK, changes });
  const canary = { share: 0.1, forMs: 5000 };
  t.strictSame(await connection.perform({ reload: { dryRun: true } }, () => {}), { type: 'result', ...OK, changes });
  target.perform = async () => OK;
  t.strictSame(await connection.perform({ reload: { canary } }, () => {}), { type: 'result', ...OK });
  for (const action of ['reload', 'promote', 'abort'] as const) await connection.perform(action, () => {});
  t.strictSame(target.calls, [
    'reload {"dryRun":true}',
    `reload ${JSON.stringify({ canary })}`,
    'reload',
    'promote',
    'abort',
  ]);
});
