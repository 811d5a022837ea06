import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { metricsOf } from '../monitor/support/exposition.js';
import { freePort } from '../support/ports.js';
import { ask, askBegin } from './support/ask.js';
import { Holdfast } from './support/holdfast.js';

/** Listens when the file GATE is there, and answers /slow when the file SLOW is; SECRET is nobody's business. */
const APPLICATION = `
const fs = require('node:fs');
const when = (file, then) => (fs.existsSync(file) ? then() : setTimeout(when, 20, file, then));
const server = require('node:http').createServer((request, response) => {
  const end = () => response.end(JSON.stringify({ pid: process.pid }));
  if (request.url !== '/slow') return end();
  response.flushHeaders();
  when(process.env.SLOW, end);
});
when(process.env.GATE, () => server.listen(Number(process.env.PORT), '127.0.0.1'));
`;

interface Scene {
  readonly holdfast: Holdfast;
  readonly port: number;
  readonly admin: number;
  /** Lets the workers listen. */
  openGate(): void;
  /** Lets the slow requests be answered. */
  answerSlow(): void;
}

async function begin(t: Test, ...args: string[]): Promise<Scene> {
  const dir = t.testdir({ 'app.cjs': APPLICATION });
  const [port, admin] = [await freePort(), await freePort()];
  const [gate, slow] = [path.join(dir, 'gate'), path.join(dir, 'slow')];
  const holdfast = new Holdfast(t, path.join(dir, 'app.cjs'), {
    args: ['-i', '2', '--admin', String(admin), ...args],
    env: { PORT: String(port), GATE: gate, SLOW: slow, SECRET: 'do-not-tell' },
  });
  const touch = (file: string) => () => writeFileSync(file, '');
  return { holdfast, port, admin, openGate: touch(gate), answerSlow: touch(slow) };
}

async function get(port: number, path: string): Promise<{ statusCode: number | undefined; text: string }> {
  const [response] = (await once(http.get({ host: '127.0.0.1', port, path, agent: false }), 'response')) as [
    http.IncomingMessage,
  ];
  return { statusCode: response.statusCode, text: await text(response) };
}

/** What the three probes answer: livez, readyz, startupz. */
async function probes(admin: number): Promise<(number | undefined)[]> {
  const answers = await Promise.all(['/livez', '/readyz', '/startupz'].map((path) => get(admin, path)));
  return answers.map(({ statusCode }) => statusCode);
}

t.test('probes answer from the very start, through reloads, to the end of a slow drain', async (t) => {
  const { holdfast, port, admin, openGate, answerSlow } = await begin(t);
  await holdfast.message('worker started');
  t.same(await probes(admin), [200, 503, 503], 'no worker listens yet');
  t.match(await get(admin, '/readyz'), { text: 'not ok: not started yet: 0 of 2 workers are ready\n' });
  openGate();
  await holdfast.message('started');
  t.same(await probes(admin), [200, 200, 200]);

  const reload = holdfast.run('reload');
  await holdfast.message('rollout started');
  let asked = 0;
  while (holdfast.lines('rollout done').length === 0) {
    t.same(await probes(admin), [200, 200, 200], 'while it reloads');
    asked += 1;
  }
  t.ok(asked > 0);
  t.equal((await reload).code, 0);

  const slow = askBegin(port, '/slow');
  await slow.begun;
  holdfast.child.kill('SIGTERM');
  await holdfast.message('stopping');
  t.same(await probes(admin), [200, 503, 200], 'while a request is still being answered');
  t.match(await get(admin, '/readyz'), { text: 'not ok: the supervisor is stopping\n' });
  t.equal(JSON.parse((await get(admin, '/status')).text).state, 'stopping');
  t.equal(metricsOf((await get(admin, '/metrics')).text)['holdfast_workers{state="ready"}'], 0);
  answerSlow();
  t.match(await slow.answered, { pid: Number });
  t.equal(await holdfast.closed, 0);
  await t.rejects(get(admin, '/livez'), { code: 'ECONNREFUSED' }, 'it goes with the supervisor');
});

t.test('status and metrics tell what `status --json` tells, and no secret', async (t) => {
  const { holdfast, port, admin, openGate } = await begin(t, '--env', 'TOKEN=do-not-tell', '--', '--key=do-not-tell');
  openGate();
  await holdfast.message('started');
  for (let i = 0; i < 5; i++) await ask(port);
  const answer = await get(admin, '/status');
  const told = JSON.parse(answer.text) as SupervisorStatus;
  const printed = await holdfast.status();
  t.same(Object.keys(told).sort(), Object.keys(printed).sort());
  t.same(
    told.workers.map(({ id, pid }) => ({ id, pid })),
    printed.workers.map(({ id, pid }) => ({ id, pid })),
  );
  const scrape = await get(admin, '/metrics');
  t.notMatch(answer.text + scrape.text, /do-not-tell/);
  const metrics = metricsOf(scrape.text);
  t.match(metrics, {
    holdfast_generation: 1,
    holdfast_size: 2,
    'holdfast_workers{state="ready"}': 2,
    'holdfast_restarts_total{reason="crashed"}': 0,
  });
  const requests = (slot: number) => metrics[`holdfast_worker_requests_total{slot="${slot}"}`] ?? Number.NaN;
  t.equal(requests(0) + requests(1), 5);
  for (const name of ['resident_memory_bytes', 'heap_used_bytes', 'connections', 'external_memory_bytes']) {
    t.ok((metrics[`holdfast_worker_${name}{slot="1"}`] ?? -1) >= 0, name);
  }
  t.ok(
    Object.keys(metrics).some((name) => name.startsWith(`holdfast_socket_queue_length{address="127.0.0.1:${port}"`)),
  );
  t.ok((metrics.holdfast_supervisor_resident_memory_bytes ?? 0) > 1e7);
});

t.test('a crash and a rollout are counted', async (t) => {
  const { holdfast, admin, openGate } = await begin(t);
  openGate();
  await holdfast.message('started');
  const [worker] = (await holdfast.status()).workers;
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  await holdfast.message('worker crashed');
  await holdfast.line((line) => line.msg === 'worker ready' && Number(line.worker) > 2);
  t.equal((await holdfast.run('reload')).code, 0);
  t.match(metricsOf((await get(admin, '/metrics')).text), {
    'holdfast_restarts_total{reason="crashed"}': 1,
    'holdfast_rollouts_total{outcome="done"}': 1,
    holdfast_generation: 2,
  });
});

t.test('a taken address is an error that names it and who has it, before any worker starts', async (t) => {
  const stranger = net.createServer().listen(0, '127.0.0.1');
  t.teardown(() => stranger.close());
  await once(stranger, 'listening');
  const { port } = stranger.address() as net.AddressInfo;
  const script = path.join(t.testdir({ 'app.cjs': APPLICATION }), 'app.cjs');
  const holdfast = new Holdfast(t, script, { args: ['--admin', `127.0.0.1:${port}`] });
  t.equal(await holdfast.closed, 1);
  t.match(holdfast.stderr, `cannot listen on 127.0.0.1:${port}: EADDRINUSE, already in use by PID ${process.pid}`);
  t.match(holdfast.stderr, /choose another address with --admin/);
  t.same(holdfast.lines('worker started'), []);
});

t.test('a host that is none of this machine is an error, too', async (t) => {
  const script = path.join(t.testdir({ 'app.cjs': APPLICATION }), 'app.cjs');
  const holdfast = new Holdfast(t, script, { args: ['--admin', '192.0.2.1:9100'] });
  t.equal(await holdfast.closed, 1);
  t.match(holdfast.stderr, /cannot listen on 192\.0\.2\.1:9100: EADDRNOTAVAIL/);
});
