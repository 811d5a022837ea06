/** Workers whose supervisor has been killed, and that no other one takes over. */
import { readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { ask, askBegin } from './support/ask.js';
import { Holdfast, run } from './support/holdfast.js';
import { haveEnded, isRunning } from './support/processes.js';
import { kill, openShop, survivor, workersOf } from './support/survivors.js';

t.test('orphans whom nobody takes over drain and end, in their own time', async (t) => {
  const shop = await openShop(t, { HOLDFAST_ORPHAN_TIMEOUT: '300ms' });
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  const waits = askBegin(shop.port, '/wait');
  await waits.begun;
  await kill(first);
  await new Promise<void>((resolve) => {
    // Once they drain nobody accepts any more.
    const look = () => {
      const socket = net.connect(shop.port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        setTimeout(look, 20);
      });
      socket.once('error', () => resolve());
    };
    look();
  });
  t.ok(pids.some(isRunning), 'what is under way is finished first');
  const { socket } = await waits.begun;
  socket.destroy();
  await waits.answered.catch(() => {});
  await haveEnded(...pids);
});

t.test('without a supervisor, status shows them and stop ends them', async (t) => {
  const shop = await openShop(t);
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  await kill(first);

  const shown = await run(['status'], { runtimeDir: shop.runtimeDir });
  t.equal(shown.code, 3);
  t.match(shown.stdout, /^shop {2}no supervisor: it has died, 2 workers serve on\n/);
  for (const pid of pids) t.match(shown.stdout, String(pid));
  const json = await run(['status', '--name', 'shop', '--json'], { runtimeDir: shop.runtimeDir });
  t.match(JSON.parse(json.stdout), { name: 'shop', state: 'no supervisor', workers: [{ slot: 0 }, { slot: 1 }] });

  writeFileSync(path.join(shop.runtimeDir, 'shop.upgrade'), '{}');
  const stopped = await run(['stop', '--name', 'shop'], { runtimeDir: shop.runtimeDir });
  t.match(stopped, { code: 0, stdout: 'shop: stopped, 2 workers of a supervisor that had died\n' });
  t.same(readdirSync(shop.runtimeDir), [], 'nothing is left of it');
  t.notOk(pids.some(isRunning));
  t.equal((await run(['stop', '--name', 'shop'], { runtimeDir: shop.runtimeDir })).code, 3, 'nobody is left');
});

t.test('stop leaves the workers of those that run alone', async (t) => {
  const shop = await openShop(t);
  const dead = shop.start();
  await dead.message('started');
  const pids = await workersOf(t, dead);
  const port = await freePort();
  const lives = new Holdfast(t, survivor, {
    runtimeDir: shop.runtimeDir,
    args: ['--name', 'blog'],
    env: { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m' },
  });
  await lives.message('started');
  await kill(dead);
  t.match((await run(['status', '--json'], { runtimeDir: shop.runtimeDir })).stdout, /"name": "blog"/);
  t.equal((await run(['stop', '--name', 'shop'], { runtimeDir: shop.runtimeDir })).code, 0);
  await haveEnded(...pids);
  t.match(await ask(port), { slot: 0 });
});

t.test('with no time to wait workers end with their supervisor', async (t) => {
  const shop = await openShop(t, { HOLDFAST_ORPHAN_TIMEOUT: '0' });
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  await kill(first);
  await haveEnded(...pids);
});
