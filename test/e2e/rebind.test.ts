import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { Holdfast, root } from './support/holdfast.js';
import { bindWithoutReuseAddr, timeWaits } from './support/tcp-state.js';

const chat = path.join(root, 'examples/chat/server.js');

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`a chat with clients is stopped and started again at once, in ${mode} mode`, async (t) => {
    const port = await freePort();
    const options = {
      args: ['-i', '2', '--listen-mode', mode, '--drain-timeout', '200ms'],
      env: { PORT: String(port) },
    };
    const first = new Holdfast(t, chat, options);
    await first.message('started');
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(t, { port })));
    // The server ends the connections first, so TIME_WAIT is on its side, on the very port.
    const ended = clients.map((client) => once(client, 'close'));
    t.equal((await first.run('stop')).code, 0);
    await Promise.all(ended);
    t.equal(await first.closed, 0);
    t.ok(timeWaits(port) > 0, `${timeWaits(port)} connections of the first run are in TIME_WAIT`);
    t.equal(bindWithoutReuseAddr(port), 'EADDRINUSE', 'the control: without the option the port cannot be bound');

    const second = new Holdfast(t, chat, options);
    await second.message('started');
    t.ok(timeWaits(port) > 0, 'they are still there now that it is bound');
    await connect(t, { port });
  });
}

t.test('a client binds a fixed local port, connects, closes, and binds it again', async (t) => {
  const holdfast = new Holdfast(t, chat, { args: ['-i', '1'] });
  const port = await holdfast.port();
  const localPort = await freePort();
  const first = await connect(t, { port, localPort });
  first.end();
  await once(first, 'close');
  t.ok(timeWaits(localPort) > 0, 'the local port is in TIME_WAIT');
  t.equal(bindWithoutReuseAddr(localPort), 'EADDRINUSE', 'the control: it cannot be bound without the option');
  // To another address of the server: the pair of addresses of the first connection itself is still taken.
  const second = await connect(t, { port, localPort, host: '127.0.0.2' });
  t.equal(second.localPort, localPort);
});

/** A chat client that has been greeted. */
async function connect(t: Test, to: { port: number; localPort?: number; host?: string }): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', ...to });
  t.teardown(() => socket.destroy());
  const [greeting] = await once(socket, 'data');
  t.match(String(greeting), /^welcome, guest-/);
  socket.resume();
  return socket;
}
