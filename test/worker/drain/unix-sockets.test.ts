/** A drain and the unix sockets of the application, those in custody and those that belong to the worker. */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { DRAIN } from '../support/drain-order.js';
import { makeFolder, Preloaded } from '../support/preloaded.js';

/** Listens at NAME, and tells what it is told. */
const SCRIPT = `
  const name = require('node:path').join(process.env.FOLDER, process.env.NAME.replace('PID', process.pid));
  const server = require('node:net').createServer((socket) => socket.on('data', (data) => socket.end(data)).resume());
  server.on('connection', () => console.log('connection'));
  server.listen(name, () => console.log('listens ' + name));
  process.on('message', (message) => {
    if (message === 'end') process.exit();
    console.log(message + ' ' + server.listening + ' ' + server.address());
    server.close(() => console.log('closed'));
  });
`;

for (const NAME of ['app', 'app-PID']) {
  t.test(`a server at ${NAME} takes no more connections in a drain, which waits for those that it has`, async (t) => {
    const FOLDER = makeFolder(t);
    const worker = new Preloaded(t, SCRIPT, { env: { FOLDER, NAME } }, true);
    const name = (await worker.line(/^listens/)).replace('listens ', '');
    t.equal(name, path.join(FOLDER, NAME.replace('PID', `${worker.pid}`)));
    const client = net.connect(name).resume();
    t.teardown(() => client.destroy());
    await worker.line(/^connection/);
    worker.send({ type: 'stats', seq: 1, sentAtMs: 0 });
    t.match(await worker.tells('stats'), { connections: 1, accepted: 1 });

    worker.send(DRAIN);
    t.equal(await worker.line(/^shutdown/), `shutdown true ${name}`, 'it looks as if it listened');
    if (NAME !== 'app') {
      const [error] = await once(net.connect(name), 'error');
      t.match(error, { code: 'ENOENT' });
    }
    worker.send({ type: 'stats', seq: 2, sentAtMs: 0 });
    await worker.tells('stats', 2);
    t.notOk(worker.told.some(({ type }) => type === 'drained'));
    client.write('done');
    await worker.tells('drained');
    await worker.line(/^closed/);
    worker.tell('end');
    t.match(await worker.ended, { code: 0, stderr: '' });
  });
}
