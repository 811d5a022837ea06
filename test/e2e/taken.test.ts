/** Ports that somebody else has: the application decides what that means, as under plain node. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir, run } from './support/holdfast.js';
import { get } from './support/servers.js';

const script = path.join(apps, 'addresses.cjs');

async function stranger(t: Test): Promise<{ port: number; leave(): Promise<void> }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const leave = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port: (server.address() as net.AddressInfo).port, leave };
}

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`the application takes the next port, in ${mode} mode`, async (t) => {
    const { port } = await stranger(t);
    const env = { PORT: String(port), HOST: '127.0.0.1', TAKEN: 'next' };
    const holdfast = new Holdfast(t, script, { args: ['-i', '2', '--listen-mode', mode], env });
    await holdfast.message('started');
    const { addresses } = await holdfast.status();
    const [address] = addresses;
    t.ok(address !== undefined && address.port > port, `${address?.port} instead of ${port}`);
    t.equal(addresses.length, 1, 'all of them the same');
    t.match(JSON.parse(await get(http, { port: address?.port, host: '127.0.0.1' })), { generation: 1 });
  });

  t.test(`it waits until the port is free, in ${mode} mode`, async (t) => {
    const { port, leave } = await stranger(t);
    const env = { PORT: String(port), HOST: '127.0.0.1', TAKEN: 'wait' };
    const holdfast = new Holdfast(t, script, { args: ['-i', '2', '--listen-mode', mode], env });
    for (const slot of [0, 1]) await holdfast.line((line) => line.msg === 'TOLD EADDRINUSE' && line.slot === slot);
    await leave();
    await holdfast.message('started');
    t.match(JSON.parse(await get(http, { port, host: '127.0.0.1' })), { generation: 1 });
  });

  t.test(`it does without its port for metrics, also in a reload, in ${mode} mode`, async (t) => {
    const { port: metrics } = await stranger(t);
    const port = await freePort();
    const env = { PORT: String(port), HOST: '127.0.0.1', METRICS: String(metrics) };
    const holdfast = new Holdfast(t, script, { args: ['-i', '2', '--listen-mode', mode, '--ready', 'message'], env });
    await holdfast.message('started');
    t.match(await holdfast.run('reload'), { code: 0 });
    for (const generation of [1, 2]) {
      for (const slot of [0, 1]) {
        await holdfast.line(
          (line) => line.msg === 'WITHOUT EADDRINUSE' && line.slot === slot && line.generation === generation,
        );
      }
    }
    const told = await holdfast.message('worker cannot listen');
    t.match(told, { level: 'warn', reason: new RegExp(`EADDRINUSE, already in use by PID ${process.pid} `) });
  });
}

t.test('who cannot do without is told who has the port', async (t) => {
  const { port } = await stranger(t);
  const env = { PORT: String(port), HOST: '127.0.0.1' };
  const owner = new RegExp(`EADDRINUSE, already in use by PID ${process.pid} `);
  const ended = await run(['start', script], { runtimeDir: makeRuntimeDir(t), env });
  t.equal(ended.code, 1);
  t.match(ended.stderr, owner, 'the application ends');
  const patient = { ...env, TAKEN: 'wait' };
  const waiting = await run(['start', script, '--ready-timeout', '8s'], {
    runtimeDir: makeRuntimeDir(t),
    env: patient,
  });
  t.equal(waiting.code, 1);
  t.match(waiting.stderr, /not ready within 8 s/);
  t.match(waiting.stderr, owner, 'it waits for too long');
});
