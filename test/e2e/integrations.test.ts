/** Applications with the graceful shutdown that they have already: they run unchanged, and lose nothing. */
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';

const RELOADS = 5;
const WORKERS = 2;
const EVER = WORKERS * (RELOADS + 1);

/** Two at a time: most of what they do is wait for each other's processes. */
t.jobs = 2;

interface Application {
  /** Of its file, after `integration-`. */
  readonly script: string;
  readonly mode: 'reuseport' | 'reuseaddr';
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Called after each reload. */
  readonly check?: () => Promise<void>;
}

/** Reloads it under load, stops it, and expects that nobody noticed and every worker has cleaned up. */
async function reloads(t: Test, { script, mode, args = [], env = {}, check }: Application): Promise<Holdfast> {
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, `integration-${script}`), {
    args: ['-i', String(WORKERS), '--listen-mode', mode, '--name', 'shop', ...args],
    env: { ...env, PORT: String(port) },
  });
  await holdfast.message('started');
  const load = new Load({ port, fresh: 4, keepAlive: 8, perSecond: 100 });
  t.teardown(() => load.stop());
  await answeredBy(load, 1);
  for (let generation = 2; generation <= RELOADS + 1; generation++) {
    const { code, stderr } = await holdfast.reload();
    t.equal(code, 0, `reload to generation ${generation} went well ${stderr}`);
    await answeredBy(load, generation);
    await check?.();
  }
  await load.stop();
  t.same(load.errors, {}, `no error of any kind in ${load.answers.length} requests`);

  t.equal((await holdfast.stop()).code, 0);
  t.equal(await holdfast.closed, 0);
  const started = holdfast.lines('worker started').map(({ worker }) => worker);
  t.equal(started.length, EVER, 'no worker but those of each generation was needed');
  t.same(cleanedUp(holdfast), started.sort(), 'the clean-up ran once in each worker');
  const exits = holdfast.lines('worker exited');
  t.same(
    exits.map(({ code, signal }) => ({ code, signal })),
    Array(EVER).fill({ code: 0, signal: null }),
    'each ended by itself',
  );
  const forced = ['drain timeout', 'kill timeout', 'worker crashed'];
  t.same(
    holdfast.log.filter(({ msg }) => forced.includes(msg)),
    [],
    'none had to be forced',
  );
  return holdfast;
}

/** Workers that printed it, as often as they did. */
function cleanedUp(holdfast: Holdfast): unknown[] {
  return holdfast
    .lines('cleaned up')
    .map(({ worker }) => worker)
    .sort();
}

async function probeStatus(port: number, probe: string): Promise<number | undefined> {
  const request = http.get({ host: '127.0.0.1', port, path: probe, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  return response.statusCode;
}

async function answeredBy(load: Load, generation: number): Promise<void> {
  while (load.answers.at(-1)?.generation !== generation) await pause(5);
}

t.test("PM2's contract: says ready, and ends on the message shutdown", { buffered: true }, async (t) => {
  await reloads(t, { script: 'pm2.cjs', mode: 'reuseport', args: ['--ready', 'message'] });
});

t.test(
  'an application that forks workers of its own runs without its primary, and is told',
  { buffered: true },
  async (t) => {
    const holdfast = await reloads(t, { script: 'own-cluster.cjs', mode: 'reuseport' });
    t.same(holdfast.lines('primary'), []);
    t.match(holdfast.lines('the primary branch does not run'), [{ level: 'warn', hint: /holdfast is the primary/ }]);
  },
);

t.test('one whose primary alone listens cannot be started, and says why', { buffered: true }, async (t) => {
  const env = { PORT: String(await freePort()), WAITS: '1' };
  const script = path.join(apps, 'integration-own-cluster.cjs');
  const holdfast = new Holdfast(t, script, { env, args: ['--ready-timeout', '8s'] });
  t.equal(await holdfast.closed, 1);
  t.match(
    holdfast.stderr,
    /did not listen on any address.*\n +what it does where cluster\.isPrimary is true never runs/,
  );
});

t.test(
  'an application that exits on the message shutdown is told when nobody is there any more',
  { buffered: true },
  async (t) => {
    await reloads(t, { script: 'message-exit.cjs', mode: 'reuseport' });
  },
);

t.test('an application that listens to SIGINT alone gets that', { buffered: true }, async (t) => {
  await reloads(t, { script: 'sigint.cjs', mode: 'reuseaddr' });
});

t.test('close-with-grace closes server and database on SIGTERM', { buffered: true }, async (t) => {
  await reloads(t, { script: 'close-with-grace.cjs', mode: 'reuseaddr' });
});

t.test('terminus runs its onSignal', { buffered: true }, async (t) => {
  await reloads(t, { script: 'terminus.cjs', mode: 'reuseport' });
});

t.test('lightship runs its shutdown handlers, and its probes answer all the time', { buffered: true }, async (t) => {
  const probes = await freePort();
  const check = async () => {
    for (const probe of ['/live', '/ready', '/health']) t.equal(await probeStatus(probes, probe), 200, probe);
  };
  await reloads(t, {
    script: 'lightship.mjs',
    mode: 'reuseaddr',
    env: { LIGHTSHIP_PORT: String(probes) },
    check,
  });
});

t.test('http-terminator has nothing left to cut off', { buffered: true }, async (t) => {
  await reloads(t, { script: 'http-terminator.cjs', mode: 'reuseport' });
});

t.test('Fastify runs its onClose hooks', { buffered: true }, async (t) => {
  await reloads(t, { script: 'fastify.mjs', mode: 'reuseaddr' });
});

t.test("holdfast's own API: ready, onDrain, status", { buffered: true }, async (t) => {
  const args = ['--ready', 'message', '--drain-timeout', '20s'];
  const holdfast = await reloads(t, { script: 'holdfast.mjs', mode: 'reuseport', args });
  const told = holdfast.log
    .filter(({ msg }) => msg.startsWith('drain {'))
    .map((line) => ({ line, event: JSON.parse(line.msg.slice('drain '.length)) as Record<string, unknown> }));
  t.equal(told.length, EVER);
  for (const { line, event } of told) {
    const { slot, generation } = line;
    const reason = generation === RELOADS + 1 ? 'stopping' : 'replaced';
    t.same(event, { reason, windowMs: 20_000, name: 'shop', slot, generation, draining: true });
  }
});
