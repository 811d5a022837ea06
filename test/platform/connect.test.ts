import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { connectUntil } from '../../src/platform/connect.js';

t.test('many connections under one signal leave no listener with it, and end with it', async (t) => {
  const server = net.createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  t.teardown(() => process.removeListener('warning', warned));
  const controller = new AbortController();
  for (let count = 0; count < 30; count++) {
    const socket = connectUntil(controller.signal, { port, host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.destroy();
    await once(socket, 'close');
  }
  const open = connectUntil(controller.signal, { port, host: '127.0.0.1' });
  await once(open, 'connect');
  const failed = once(open, 'error');
  controller.abort(new Error('it is over'));
  t.match(await failed, [{ message: 'it is over' }]);
  const late = connectUntil(controller.signal, { port, host: '127.0.0.1' });
  t.match(await once(late, 'error'), [{ message: 'it is over' }]);
  // Warnings come a turn later.
  await new Promise(setImmediate);
  t.same(warnings, []);
});
