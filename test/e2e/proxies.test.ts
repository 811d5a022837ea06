import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { PausingClients } from './support/pausing-clients.js';
import { has, startHaproxy, startNginx } from './support/proxies.js';

const RELOADS = 50;

const skip = has('nginx') && has('haproxy') ? false : 'needs nginx and haproxy: apt-get install nginx-light haproxy';

t.test('proxies with kept connections see nothing of fifty reloads', { skip }, async (t) => {
  const upstream = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'promise.cjs'), {
    args: ['-i', '2', '--surge', '100%'],
    env: { PORT: String(upstream) },
  });
  await holdfast.message('started');
  const dir = makeRuntimeDir(t);
  const proxies = {
    nginx: await startNginx(t, dir, await freePort(), upstream),
    haproxy: await startHaproxy(t, dir, await freePort(), upstream),
  };
  // Busy ones keep connections in use, slow ones leave them idle.
  const clients = Object.entries(proxies).flatMap(([name, { port }]) => [
    { name: `busy, by ${name}`, clients: new PausingClients({ port, count: 16, pauseMs: [20, 120] }) },
    { name: `slow, by ${name}`, clients: new PausingClients({ port, count: 60, pauseMs: [500, 2_500] }) },
  ]);
  t.teardown(() => Promise.all(clients.map(({ clients }) => clients.stop())));
  await Promise.all(clients.map(({ clients }) => clients.start()));
  for (let i = 0; i < RELOADS; i++) {
    const { code, stderr } = await holdfast.reload();
    if (code !== 0) t.fail(`reload ${i}: ${stderr}`);
  }
  for (const { name, clients: one } of clients) t.same(one.errors, {}, `${name}: ${one.answers} answers`);
  for (const [name, proxy] of Object.entries(proxies)) t.equal(await proxy.retries(), 0, `${name} asked nothing twice`);
  const { handover } = await holdfast.status();
  t.comment(`${handover.handed} connections handed over`);
  t.ok(handover.handed > RELOADS, 'their kept connections went along');
});
