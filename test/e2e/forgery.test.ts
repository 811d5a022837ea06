import http from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';

const ours = (fields: object) => ['/message', JSON.stringify({ cmd: 'NODE_HOLDFAST', ...fields })] as const;
const nodes = (fields: object) => ['/message', JSON.stringify({ cmd: 'NODE_CLUSTER', ...fields })] as const;

const PIPE = `/tmp/hf-forged-${process.pid}`;
function pipe(index: number): string {
  const query = { act: 'queryServer', seq: 1, index, address: PIPE, port: -1, addressType: -1, fd: -1, flags: 0 };
  return JSON.stringify({ cmd: 'NODE_CLUSTER', ...query });
}

/** What a worker may say by mistake or on purpose, each of which is wrong. */
const FORGERIES: readonly (readonly [way: string, body: string])[] = [
  ours({ type: 'leftover' }),
  ours({ type: 'leftover', counts: { http1: -1 }, named: [] }),
  ours({ type: 'leftover', counts: { http1: 1e308 }, named: [] }),
  ours({ type: 'leftover', counts: { http1: 1 }, named: [{ kind: 'tea' }] }),
  ours({ type: 'listen', seq: 1 }),
  ours({ type: 'listen', seq: 1, request: { host: 'example', port: 1, family: 4, ipv6Only: false, ordinal: 0 } }),
  ours({ type: 'listen', seq: 1, request: { host: null, port: 70_000, family: 4, ipv6Only: false, ordinal: 0 } }),
  ours({ type: 'share', seq: 1, request: { kind: 'unix', path: 'relative', umask: 0 } }),
  ours({ type: 'share', seq: 1, request: { kind: 'udp', host: 'example', port: 1, family: 4 } }),
  ours({ type: 'opened', key: '127.0.0.1:1' }),
  ours({ type: 'bound' }),
  ours({ type: 'bound', key: '127.0.0.1:1' }),
  ours({ type: 'closed', key: 'nowhere' }),
  ours({ type: 'released', key: '127.0.0.1:1', slot: 7 }),
  ours({ type: 'adopted', key: '127.0.0.1:1', slot: 0, ok: true }),
  ours({ type: 'stats', seq: 1, eventLoopDelayMs: -5, connections: 1, accepted: 1, requests: 1 }),
  ours({ type: 'stats', seq: 1e9, eventLoopDelayMs: 1, connections: 1, accepted: 1, requests: 1 }),
  ours({ type: 'health', ok: 1, detail: 'x' }),
  ours({ type: 'constructor' }),
  ours({}),
  nodes({ act: 'queryServer' }),
  nodes({ act: 'queryServer', seq: 1, index: 0, address: 'localhost', port: 1, addressType: 4 }),
  nodes({ act: 'queryServer', seq: 1, index: 0, address: {}, port: -1, addressType: -1 }),
  nodes({ act: 'close', key: 'nothing' }),
  nodes({ ack: 3, accepted: true }),
  ['/message', '{"cmd":"NODE_HANDLE","type":"net.Server"}'],
  ['/message', '{"cmd":"NODE_HANDLE","type":"nonsense"}'],
  ['/message', '{"cmd":"NODE_HANDLE_ACK"}'],
  ['/message', '{"cmd":"NODE_HANDLE_NACK"}'],
  ['/raw', 'plain text\n'],
  ['/raw', '{"half":\n'],
  ['/raw', '\n'],
  ['/raw', `${'x'.repeat(65)}\u0000\n`],
  ['/handle', ''],
  // A handle that Node is still opening: it throws where such a one is asked for twice, or closed.
  ['/raw', `${pipe(0)}\n${pipe(0)}\n`],
  ['/raw', `${pipe(1)}\n{"cmd":"NODE_CLUSTER","act":"close","key":"${PIPE}:-1:-1:-1:1"}\n`],
];

async function say(port: number, [way, body]: readonly [string, string]): Promise<number> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: way, method: 'POST', agent: false } as const;
    http.request(options, resolve).on('error', reject).end(body);
  });
  return ((await json(response)) as { pid: number }).pid;
}

async function start(t: Test, ...args: string[]): Promise<{ holdfast: Holdfast; port: number }> {
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'forger.cjs'), {
    args: [
      '--drain-timeout',
      '200ms',
      '--backoff-base',
      '1ms',
      '--backoff-max',
      '1ms',
      '--max-restarts',
      '1000',
      ...args,
    ],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  return { holdfast, port };
}

t.test('what a worker says wrongly fails that worker and nobody else', async (t) => {
  const { holdfast, port } = await start(t, '-i', '2');
  const { pid } = await holdfast.status();
  for (const forgery of FORGERIES) {
    const from = holdfast.log.length;
    const worker = await say(port, forgery);
    const name = `${forgery[0]} ${JSON.stringify(forgery[1].slice(0, 100))}`;
    const broke = await holdfast.message('worker broke its channel', from);
    t.equal(broke.pid, worker, name);
    await holdfast.message('worker failed', from);
    // Its successor serves before the next one begins.
    await holdfast.message('worker ready', from);
  }
  const { workers, pid: same } = await holdfast.status();
  t.equal(same, pid, 'the supervisor is the one that it was');
  t.equal(workers.filter(({ state }) => state === 'ready').length, 2);
  const broken = holdfast.lines('worker broke its channel').length;
  t.equal(broken, FORGERIES.length, 'each time one worker, and no other');
  t.equal(holdfast.lines('worker failed').length, broken);
});

t.test('what an application says to whoever started it is its own affair', async (t) => {
  const { holdfast, port } = await start(t);
  for (const body of ['"hello"', '{"type":"process:msg"}', 'null', '[1]', '{"cmd":5}', '{"cmd":"NODE_ELSE"}', '0']) {
    await say(port, ['/message', body]);
  }
  await say(port, nodes({ act: 'online' }));
  await say(port, nodes({ act: 'of another version' }));
  const from = holdfast.log.length;
  await say(port, ['/descriptor', '3']);
  await holdfast.message('refused EINVAL', from);
  t.match(holdfast.lines('listening on a file descriptor refused'), [{ fd: 3 }]);
  await holdfast.status();
  t.same(holdfast.lines('worker broke its channel'), []);
});

t.test('a worker that floods its channel is slowed, then failed; the supervisor has time for others', async (t) => {
  const { holdfast, port } = await start(t);
  await say(port, ['/flood', '']);
  await holdfast.message('worker slowed');
  const began = performance.now();
  await holdfast.status();
  t.ok(performance.now() - began < 10_000, 'it answers meanwhile');
  t.match(await holdfast.message('worker broke its channel'), { reason: /floods its channel/ });
  const { workers } = await holdfast.status();
  t.ok(workers.length >= 1);
});
