/** The supervisor is killed, and not one worker notices; the next one of its name takes them over. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { askBegin } from './support/ask.js';
import { makeRuntimeDir } from './support/holdfast.js';
import { endWith, haveEnded, isRunning } from './support/processes.js';
import { asked, kill, openShop, type Survivor, workersOf } from './support/survivors.js';

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(
    `workers serve on, and the next supervisor has them as if nothing had happened, in ${mode} mode`,
    async (t) => {
      const shop = await openShop(t);
      const first = shop.start('--listen-mode', mode);
      await first.message('started');
      const pids = await workersOf(t, first);
      // It stays open over all that.
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      t.teardown(() => agent.destroy());
      const kept = async () => {
        const request = http.request({ port: shop.port, host: '127.0.0.1', agent, method: 'POST' }).end('x');
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        return { ...(JSON.parse(await text(response)) as Survivor), isNew: !request.reusedSocket };
      };
      const { pid } = await kept();
      await kill(first);

      t.match(await kept(), { pid, isNew: false, connected: true, disconnects: 0 });
      for (let i = 0; i < 10; i++) t.ok(pids.includes((await asked(shop)).pid), 'new connections are served as well');
      await asked(shop, '/print?text=said-by-an-orphan');
      await asked(shop, '/complain?text=complained-by-an-orphan');
      await asked(shop, '/tell?text=nobody');

      const second = shop.start('--listen-mode', mode);
      await second.message('started');
      t.same(await workersOf(t, second), pids, 'the same workers');
      await second.message('said-by-an-orphan');
      const complaint = await second.message('complained-by-an-orphan');
      t.match(complaint, { stream: 'stderr', generation: 1 }, 'no line is lost');
      t.match(await kept(), { pid, isNew: false, connected: true, disconnects: 0 });
      await asked(shop, '/print?text=said-to-the-next');
      await second.message('said-to-the-next');
      const status = await second.status();
      t.match(status, { generation: 1, size: 2, steering: first.lines('supervisor started')[0]?.steering });
      t.ok(
        status.workers.every(({ requests }) => requests !== null),
        'they answer it',
      );

      t.equal((await second.reload()).code, 0);
      const after = await second.settled();
      t.ok(
        after.workers.every((worker) => worker.generation === 2 && !pids.includes(worker.pid ?? 0) && worker.id > 2),
        'a reload is a usual reload',
      );
      const { isNew } = await kept();
      t.equal(isNew, false, 'and hands the connection over');
      // Or the promise to a client that is silent would be kept first.
      agent.destroy();
      await second.end();
      await haveEnded(...pids, ...after.workers.map((worker) => worker.pid ?? 0));
      t.same(readdirSync(shop.runtimeDir), [], 'nothing is left behind');
    },
  );
}

t.test('what happens to workers meanwhile is made good in the end', async (t) => {
  const shop = await openShop(t);
  const first = shop.start();
  await first.message('started');
  const { workers } = await first.status();
  endWith(t, ...workers.map(({ pid }) => pid ?? 0));
  const [one, other] = workers;
  await kill(first);
  process.kill(one?.pid ?? 0, 'SIGKILL');
  await haveEnded(one?.pid ?? 0);

  const second = shop.start();
  await second.message('started');
  const after = (await second.status()).workers;
  t.match(
    after.find(({ slot }) => slot === one?.slot),
    { id: 3, state: 'ready' },
    'the seat of one that has ended is filled, with a number of its own',
  );
  t.match(
    after.find(({ slot }) => slot === other?.slot),
    { id: other?.id, pid: other?.pid },
  );

  process.kill(other?.pid ?? 0, 'SIGKILL');
  const crashed = await second.message('worker crashed');
  t.match(crashed, { worker: other?.id, cause: 'untold', code: null, signal: null });
  await second.line(({ msg, worker }) => msg === 'worker ready' && Number(worker) > 3);
});

t.test('a worker that is stuck is replaced, and what waits for it is served', async (t) => {
  const shop = await openShop(t);
  const first = shop.start('--listen-mode', 'reuseport', '--steering', 'off');
  await first.message('started');
  const { workers } = await first.status();
  const pids = workers.map(({ pid }) => pid ?? 0);
  endWith(t, ...pids);
  const [stuck = 0, other = 0] = pids;
  await kill(first);
  process.kill(stuck, 'SIGSTOP');
  // About half of them wait in its queue.
  const waiting = Array.from({ length: 20 }, () => asked(shop));

  const second = shop.start('--listen-mode', 'reuseport', '--steering', 'off');
  await second.message('worker does not attach');
  await second.message('started');
  await haveEnded(stuck);
  await second.line(({ msg, pid }) => msg === 'worker exited' && pid === stuck);
  for (const { pid } of await Promise.all(waiting)) t.not(pid, stuck);
  const after = (await second.status()).workers;
  t.same(after.map(({ slot, state }) => `${slot} ${state}`).sort(), ['0 ready', '1 ready']);
  t.ok(
    after.some(({ pid }) => pid === other),
    'its sibling stays',
  );
});

t.test('one whose loop is blocked comes when it can, and nothing is started in its place', async (t) => {
  const shop = await openShop(t);
  const until = path.join(t.testdir(), 'until');
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  const blocked = askBegin(shop.port, `/block?text=${until}`);
  await blocked.begun;
  await kill(first);
  const second = shop.start();
  await second.message('worker attached');
  t.equal(second.lines('started').length, 0, 'it is waited for');
  writeFileSync(until, '');
  await second.message('started');
  t.same(await workersOf(t, second), pids);
  t.same(await blocked.answered, {}, 'and has answered');
});

t.test('a worker that is still starting goes on to, and gets its socket from the next supervisor', async (t) => {
  const after = path.join(t.testdir(), 'after');
  const shop = await openShop(t, { AFTER: after });
  const first = shop.start('-i', '1');
  const { pid } = await first.message('worker started');
  endWith(t, Number(pid));
  while (!existsSync(`${after}.${pid}`)) await delay(5);
  // It answers: so it has been told by then what it needs to outlive its supervisor.
  while ((await first.status()).workers[0]?.requests === null) await delay(5);
  await kill(first);
  writeFileSync(after, '');
  const second = shop.start('-i', '1');
  await second.message('started');
  t.equal((await asked(shop)).pid, pid);
});

t.test('a worker that drains finishes what it has, and then goes', async (t) => {
  const shop = await openShop(t);
  const first = shop.start('-i', '1', '--handover', 'off');
  await first.message('started');
  const [old = 0] = await workersOf(t, first);
  const waits = askBegin(shop.port, '/wait');
  await waits.begun;
  void first.reload();
  await first.message('worker draining');
  const [fresh = 0] = (await workersOf(t, first)).filter((pid) => pid !== old);
  await kill(first);

  const second = shop.start('-i', '1', '--handover', 'off');
  await second.message('started');
  t.ok(isRunning(old));
  t.equal((await asked(shop)).pid, fresh);
  // Only the old one has it.
  const held = (await second.status()).workers.find(({ pid }) => pid === old);
  t.match(held, { state: 'draining', generation: 1 });
  process.kill(old, 'SIGTERM');
  await waits.answered.catch(() => {});
  await haveEnded(old);
  await second.line(({ msg, pid }) => msg === 'worker exited' && pid === old);
  t.same(await workersOf(t, second), [fresh]);
});

t.test('unix sockets and sockets for datagrams go on as well', async (t) => {
  const socketPath = path.join(makeRuntimeDir(t), 's');
  const udp = await freePort();
  const shop = await openShop(t, { SOCKET: socketPath, UDP: String(udp) });
  const overUnix = async () => {
    const request = http.get({ socketPath, path: '/', agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    return Number(await text(response));
  };
  const client = dgram.createSocket('udp4');
  t.teardown(() => client.close());
  const overUdp = async () => {
    client.send('hello', udp, '127.0.0.1');
    const [message] = (await once(client, 'message')) as [Buffer];
    return Number(String(message).split(' ')[0]);
  };
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  await kill(first);
  t.ok(pids.includes(await overUnix()) && pids.includes(await overUdp()));
  const second = shop.start();
  await second.message('started');
  t.same(await workersOf(t, second), pids);
  t.equal((await second.reload()).code, 0);
  const fresh = await workersOf(t, second);
  t.ok(fresh.includes(await overUnix()) && fresh.includes(await overUdp()), 'those that follow have the same sockets');
});

t.test('who is no worker of this supervisor is refused', async (t) => {
  const shop = await openShop(t);
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  await kill(first);
  const second = shop.start();
  await second.message('started');
  const attach = path.join(shop.runtimeDir, 'shop.attach');
  const say = async (line: string) => {
    const from = second.log.length;
    const socket = net.connect(attach);
    socket.on('error', () => {});
    socket.end(line);
    const { reason } = await second.message('who wanted to attach is refused', from);
    return reason;
  };
  const forged = {
    ...{ cmd: 'NODE_HOLDFAST', type: 'attach', worker: 1, slot: 0, generation: 1, uptimeMs: 1, saidReady: true },
    ...{ held: false, listening: [], steady: [], draining: false, drained: false, missing: [], sockets: 0 },
    ...{ stdout: '', stderr: '' },
  };
  t.match(await say(`${JSON.stringify({ ...forged, pid: pids[0] })}\n`), /it says that it is process \d+, and is \d+/);
  t.match(await say(`${JSON.stringify({ ...forged, pid: process.pid })}\n`), /is not a worker of this supervisor/);
  t.match(await say('{"cmd":"NODE_HOLDFAST","type":"mine","key":"a","slot":0}\n'), /mine was not expected/);
  t.match(await say('this is not JSON\n'), /./);
  t.match(await say(''), /it has gone/);
  t.same(await workersOf(t, second), pids);
});

t.test('a supervisor that is killed while it takes workers over leaves them to the next one', async (t) => {
  const shop = await openShop(t);
  const until = path.join(t.testdir(), 'until');
  const first = shop.start();
  await first.message('started');
  const pids = await workersOf(t, first);
  const blocked = askBegin(shop.port, `/block?text=${until}`);
  await blocked.begun;
  await kill(first);
  // One of them has been taken in, the other one has not come.
  const second = shop.start();
  await second.message('worker attached');
  await kill(second);
  writeFileSync(until, '');
  await blocked.answered;
  const third = shop.start();
  await third.message('started');
  t.same(await workersOf(t, third), pids);
  t.match(await asked(shop), { connected: true, disconnects: 0 });
});

t.test('a size that was changed by hand, and counts, go on', async (t) => {
  const shop = await openShop(t);
  const first = shop.start();
  await first.message('started');
  t.equal((await first.scale(3)).code, 0);
  t.equal((await first.reload()).code, 0);
  const pids = await workersOf(t, first);
  await kill(first);
  const second = shop.start();
  await second.message('started');
  t.same(await workersOf(t, second), pids);
  t.match(await second.status(), { size: 3, generation: 2, totals: { rollouts: { done: 1 } } });
});
