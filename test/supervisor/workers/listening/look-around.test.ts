import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { lookAround } from '../../../../src/supervisor/workers/listening/look-around.js';
import { apps } from '../../../e2e/support/holdfast.js';

/** A program that leads a session, as workers do, once it listens somewhere. */
async function start(t: Test, elsewhere: string, more: object = {}): Promise<{ pid: number; port: number }> {
  const child = spawn(process.execPath, [path.join(apps, 'listens-elsewhere.cjs')], {
    detached: true,
    env: { PATH: process.env.PATH, ELSEWHERE: elsewhere, PORT: '0', ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = child.pid ?? 0;
  t.teardown(async () => {
    process.kill(-pid, 'SIGKILL');
    await once(child, 'close');
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { pid, port: Number(line.split(' ')[1]) };
}

t.test('finds what a thread of the worker listens on', async (t) => {
  const { pid, port } = await start(t, 'thread');
  t.same(await lookAround(pid), [{ child: null, address: `127.0.0.1:${port}` }]);
});

t.test('finds a process that the worker has started', async (t) => {
  const { pid, port } = await start(t, 'child');
  t.match(await lookAround(pid), [
    { child: { pid: /^\d+$/, command: /listens-elsewhere\.cjs child$/ }, address: `127.0.0.1:${port}` },
  ]);
});

/** Which nobody has, and the kernel chooses for nobody. */
async function fixedUdpPort(): Promise<number> {
  const [first = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);
  for (let port = first - 1; ; port -= 1) {
    const socket = createSocket('udp4');
    const bound = once(socket, 'listening').then(
      () => true,
      () => false,
    );
    socket.bind(port, '127.0.0.1');
    const isFree = await bound;
    socket.close();
    if (isFree) return port;
  }
}

t.test('finds where datagrams are received, but not by what they are only sent', async (t) => {
  for (const elsewhere of ['thread', 'child']) {
    const port = await fixedUdpPort();
    const { pid } = await start(t, elsewhere, { UDP_PORT: String(port) });
    const listeners = await lookAround(pid);
    t.same(
      listeners.map(({ child, address }) => [child === null, address]),
      [[elsewhere === 'thread', `udp 127.0.0.1:${port}`]],
    );
  }
});

t.test('sees nothing where nothing is, nor what is in custody', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.same(await lookAround(process.pid), []);
  t.same(await lookAround(2 ** 22 + 1), []);
});

t.test('opens a few files at a time, however many processes there are', async (t) => {
  const processes = Array.from({ length: 500 }, (_, i) => [i + 1, { stat: `${i + 1} (x) S 1 7 7 0` }]);
  const proc = t.testdir(Object.fromEntries(processes));
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  let most = 0;
  const looks = setInterval(() => {
    most = Math.max(most, openFiles());
  });
  t.teardown(() => clearInterval(looks));
  t.same(await lookAround(7, proc), []);
  t.ok(most <= before + 100, `${most - before} files`);
});
