import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast } from './support/holdfast.js';

const PIPELINED = 'GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(13_000);

/** Connections that say nothing, and others that ask more than anybody could want to know, again and again. */
function besiege(t: Test, port: number): { readonly rounds: () => number } {
  const sockets = new Set<net.Socket>();
  let over = false;
  let rounds = 0;
  const storm = (text: string) => {
    if (over) return;
    const socket = net.connect(port, '127.0.0.1');
    sockets.add(socket);
    socket.on('error', () => {}).resume();
    socket.write(text);
    socket.once('close', () => {
      rounds += 1;
      sockets.delete(socket);
      setImmediate(storm, text);
    });
  };
  for (let i = 0; i < 8; i++) storm(PIPELINED);
  for (let i = 0; i < 80; i++) storm('GET /livez HT');
  t.teardown(() => {
    over = true;
    for (const socket of sockets) socket.destroy();
  });
  return { rounds: () => rounds };
}

t.test('a siege of the admin address neither silences it nor holds up the supervision', async (t) => {
  const [port, admin] = [await freePort(), await freePort()];
  const holdfast = new Holdfast(t, path.join(apps, 'forger.cjs'), {
    args: ['-i', '2', '--admin', String(admin)],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  const { rounds } = besiege(t, admin);
  const slowest = { status: 0, probe: 0, replacement: 0 };
  for (let i = 0; i < 3; i++) {
    let began = performance.now();
    const { workers } = await holdfast.status();
    slowest.status = Math.max(slowest.status, performance.now() - began);
    began = performance.now();
    // One that was sent away for the next client asks again, as every probe does.
    for (let tries = 0; ; tries++) {
      const answer = await probe(admin).catch(() => '');
      if (answer.startsWith('HTTP/1.1 200')) break;
      if (tries === 20) t.fail('the probe was never answered');
    }
    slowest.probe = Math.max(slowest.probe, performance.now() - began);
    const from = holdfast.log.length;
    began = performance.now();
    process.kill(workers[0]?.pid ?? 0, 'SIGKILL');
    await holdfast.message('worker ready', from);
    slowest.replacement = Math.max(slowest.replacement, performance.now() - began);
  }
  t.comment(`${rounds()} connections; the slowest in ms: ${JSON.stringify(slowest)}`);
  t.ok(rounds() > 88, 'the siege went on');
  // On a busy machine the command line, or a worker, alone takes seconds to boot; who is silenced has no answer at all.
  t.ok(slowest.status < 15_000, `status took ${slowest.status} ms`);
  t.ok(slowest.probe < 15_000, `a probe took ${slowest.probe} ms`);
  t.ok(slowest.replacement < 15_000, `a replacement took ${slowest.replacement} ms`);
  const { rssBytes } = await holdfast.status();
  t.ok((rssBytes ?? 0) < 200 * 1024 ** 2, `${rssBytes} bytes`);
  t.match(await ask(port), { pid: Number });
});

async function probe(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return String(answer);
}
