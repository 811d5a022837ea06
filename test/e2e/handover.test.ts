import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { FuzzClients } from './support/fuzz-clients.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { PausingClients } from './support/pausing-clients.js';
import { relay } from './support/relay.js';
import { serversEnv } from './support/servers.js';

const RELOADS = 5;
const CLIENTS = 1_000;
const PAUSE_MS = [1_000, 4_000] as const;

interface Ports {
  readonly plain: number;
  readonly metrics: number;
}

async function start(t: Test, mode: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const ports: Ports = { plain: await freePort(), metrics: await freePort() };
  const holdfast = new Holdfast(t, path.join(apps, 'promise.cjs'), {
    args: ['-i', '2', '--listen-mode', mode, ...args],
    env: { ...env, PORT: String(ports.plain), METRICS_PORT: String(ports.metrics) },
  });
  await holdfast.message('started');
  return { holdfast, ports };
}

async function reload(t: Test, holdfast: Holdfast): Promise<number> {
  const began = performance.now();
  const { code, stderr } = await holdfast.reload();
  t.equal(code, 0, stderr);
  return performance.now() - began;
}

/** Blocks the loop of whichever worker gets it. */
async function block(port: number, ms: number): Promise<void> {
  const request = http.get({ port, host: '127.0.0.1', path: `/block?ms=${ms}`, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  await text(response);
}

const MODES = ['reuseport', 'reuseaddr'];
/** Those over TLS side by side: most of it is waiting until the clients come back. */
t.jobs = 2;

for (const mode of MODES) {
  t.test(`${mode}: a thousand clients that pause for seconds`, async (t) => {
    const { holdfast, ports } = await start(t, mode);
    const plain = new PausingClients({ port: ports.plain, count: CLIENTS, pauseMs: PAUSE_MS });
    const metrics = new PausingClients({ port: ports.metrics, count: 20, pauseMs: PAUSE_MS });
    const far = new PausingClients({ port: await relay(t, ports.plain, 120), count: 200, pauseMs: PAUSE_MS });
    const all = [plain, metrics, far];
    t.teardown(() => Promise.all(all.map((clients) => clients.stop())));
    await Promise.all(all.map((clients) => clients.start()));
    for (let i = 0; i < RELOADS; i++) {
      const reloaded = reload(t, holdfast);
      // One of the loops is blocked in the middle of it, wherever that is.
      const from = holdfast.log.length;
      await holdfast.message('worker draining', from);
      await Promise.all([block(ports.plain, 1_500), reloaded]);
    }
    for (const clients of all) {
      t.same(clients.errors, {}, `${clients.answers} answers`);
      t.same([clients.last, clients.endedIdle], [0, 0], 'nothing was closed, and no answer said that it would be');
    }
    t.equal(plain.connects, CLIENTS, 'nobody connected again');
    t.equal(metrics.connects, 20);
    t.equal(far.connects, 200, 'nor did those with a round trip of 120 ms');
    const { handover, cutOff } = await holdfast.status();
    t.ok(handover.handed >= RELOADS * (CLIENTS / 2), `${handover.handed} were handed over`);
    t.same([handover.refused, cutOff], [0, {}]);
  });
}

for (const mode of MODES) {
  t.test(`${mode}: over TLS they are kept as long as they were promised`, { buffered: true }, async (t) => {
    const port = await freePort();
    const env = { ...serversEnv(makeRuntimeDir(t), 0), TLS_PORT: String(port) };
    const { holdfast, ports } = await start(t, mode, [], env);
    const near = new PausingClients({ port, count: 100, pauseMs: PAUSE_MS, secure: true });
    const relayed = await relay(t, port, 120);
    const far = new PausingClients({ port: relayed, count: 30, pauseMs: PAUSE_MS, secure: true });
    const all = [near, far];
    t.teardown(() => Promise.all(all.map((clients) => clients.stop())));
    await Promise.all(all.map((clients) => clients.start()));
    for (let i = 0; i < RELOADS; i++) {
      const reloaded = reload(t, holdfast);
      await holdfast.message('worker draining', holdfast.log.length);
      await Promise.all([block(ports.plain, 1_500), reloaded]);
    }
    for (const clients of all) {
      t.same(clients.errors, {}, `${clients.answers} answers, ${clients.connects} connects`);
      t.equal(clients.endedIdle, 0, 'each was told by an answer');
    }
  });
}

t.test('a reload of workers with idle connections takes no longer than one without', async (t) => {
  // Longer than it takes to connect them all and to reload, on a machine that is busy with other things.
  const { holdfast, ports } = await start(t, 'auto', [], { KEEP_ALIVE_MS: '60000' });
  const empty = await reload(t, holdfast);
  const clients = new PausingClients({ port: ports.plain, count: CLIENTS, pauseMs: [120_000, 120_000] });
  t.teardown(() => clients.stop());
  await clients.start();
  const full = await reload(t, holdfast);
  t.comment(`${Math.round(empty)} ms without, ${Math.round(full)} ms with ${CLIENTS} idle connections`);
  t.same([clients.errors, clients.endedIdle], [{}, 0]);
  t.equal((await holdfast.status()).handover.handed, CLIENTS);
  t.ok(full < empty + 20_000, 'silent clients do not hold it up for their minute');
});

t.test('a slot that goes hands its connections to its siblings', async (t) => {
  const { holdfast, ports } = await start(t, 'auto');
  const clients = new PausingClients({ port: ports.plain, count: 100, pauseMs: [50, 300] });
  t.teardown(() => clients.stop());
  await clients.start();
  for (const size of [4, 1, 3, 2]) t.equal((await holdfast.scale(size)).code, 0);
  t.same([clients.errors, clients.endedIdle, clients.connects], [{}, 0, 100], `${clients.answers} answers`);
});

t.test('with handover: off each client is asked to connect again', async (t) => {
  const { holdfast, ports } = await start(t, 'auto', ['--handover', 'off']);
  const clients = new PausingClients({ port: ports.plain, count: 20, pauseMs: [50, 300] });
  t.teardown(() => clients.stop());
  await clients.start();
  await reload(t, holdfast);
  t.same([clients.errors, clients.endedIdle], [{}, 0]);
  t.ok(clients.last >= 20, `${clients.last} answers were the last of their connection`);
  t.match((await holdfast.run('status')).stdout, /handed over +off/);
});

t.test(
  'clients that split, pipeline and hesitate have every answer, in order, while their connections move on and on',
  async (t) => {
    const { holdfast, ports } = await start(t, 'auto', ['--surge', '100%']);
    const seed = Math.floor(Math.random() * 2 ** 32);
    const clients = new FuzzClients(seed).start(ports.plain, 40);
    t.teardown(() => clients.stop());
    for (let i = 0; i < 8; i++) await reload(t, holdfast);
    await clients.stop();
    t.same(clients.faults, [], `${clients.answers} answers, seed ${seed}`);
    t.ok(clients.moves >= 8 * 20, `${clients.moves} moves were noticed by nobody`);
  },
);
