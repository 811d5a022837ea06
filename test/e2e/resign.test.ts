import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, plainly } from './support/holdfast.js';
import { Load } from './support/load.js';
import { get } from './support/servers.js';

const app = path.join(apps, 'resigns.cjs');
const TIMES = 4;

/** Has one worker after the other leave, each once somebody listens in the place of the one before. */
async function leave(port: number, somebodyNew: () => Promise<unknown>): Promise<void> {
  for (let times = 0; times < TIMES; times++) {
    const came = somebodyNew();
    await get(http, { port, host: '127.0.0.1', path: '/leave', agent: false });
    await came;
  }
}

async function underCluster(t: Test, port: number): Promise<void> {
  const child = spawn(...plainly([app], { PORT: String(port) }), { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await closed;
  });
  // Two lines may come at once: no line is lost between two waits.
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  for (let workers = 0; workers < 2; workers++) await lines.next();
  const load = new Load({ port, fresh: 8, keepAlive: 0 });
  t.teardown(() => load.stop());
  await leave(port, () => lines.next());
  await load.stop();
  t.same(load.errors, {}, load.summary());
}

t.test('a worker that leaves its cluster loses no new connection under node:cluster', async (t) => {
  await underCluster(t, await freePort());
});

const END = ['END of its server', 'END of its channel', 'END with 0'];

t.test('a worker that leaves its cluster hears of its end under node:cluster', async (t) => {
  const port = await freePort();
  const child = spawn(...plainly([app], { PORT: String(port), TELLS_ITS_END: '1' }), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await closed;
  });
  const said: string[] = [];
  const lines = createInterface(child.stdout).on('line', (line) => said.push(line));
  while (said.length < 2) await once(lines, 'line');
  await get(http, { port, host: '127.0.0.1', path: '/leave', agent: false });
  while (!said.includes('END with 0')) await once(lines, 'line');
  t.same(
    said.filter((line) => line.startsWith('END')),
    END,
  );
});

t.test('so it does here', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, app, { env: { PORT: String(port), TELLS_ITS_END: '1' } });
  await holdfast.message('started');
  await get(http, { port, host: '127.0.0.1', path: '/leave', agent: false });
  t.match(await holdfast.message('worker exited'), { worker: 1, code: 0, signal: null });
  t.same(
    holdfast.log.filter(({ msg, worker }) => worker === 1 && msg.startsWith('END')).map(({ msg }) => msg),
    END,
  );
});

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`cluster.worker.disconnect() drains under load, in ${mode} mode`, async (t) => {
    const port = await freePort();
    const args = ['-i', '2', '--listen-mode', mode, '--spread', '500ms'];
    const holdfast = new Holdfast(t, app, { args, env: { PORT: String(port) } });
    await holdfast.message('started');
    const load = new Load({ port, fresh: 8, keepAlive: 8 });
    t.teardown(() => load.stop());
    await leave(port, () => holdfast.message('worker exited', holdfast.log.length));
    await load.stop();
    t.same(load.errors, {}, load.summary());
    const status = await holdfast.status();
    t.match(status.workers, [{ state: 'ready' }, { state: 'ready' }]);
    t.equal(status.totals.restarts.recycled, TIMES);
    t.same(holdfast.lines('worker crashed'), []);
    // Who was asked to leave was up to the kernel.
    const reasons = status.workers.flatMap(({ restartReason }) => restartReason ?? []);
    t.ok(reasons.length > 0 && reasons.every((reason) => /cluster\.worker\.disconnect/.test(reason)), reasons.join());
  });
}
