/** A worker that has been told to end, and whose signal is late: on a busy machine its supervisor has its turn when it has. */
import t from 'tap';
import { DRAIN } from '../support/drain-order.js';
import { makeFolder, Preloaded } from '../support/preloaded.js';

const LATE_MS = 600;

/** Cleans up on SIGTERM, and ends by itself, for want of work. */
const SCRIPT = `
  const server = require('node:http').createServer();
  server.listen(process.env.FOLDER + '/app', () => console.log('listens'));
  process.once('SIGTERM', () => {
    console.log('listeners ' + process.listenerCount('SIGTERM'));
    server.close(() => setTimeout(() => console.log('cleaned up'), 20));
  });
`;

t.test('it waits for its signal, and ends as soon as it has cleaned up', async (t) => {
  const worker = new Preloaded(t, SCRIPT, { env: { FOLDER: makeFolder(t) } }, true);
  await worker.line(/^listens/);
  worker.send({ ...DRAIN, sayShutdown: 'late' });
  await worker.tells('drained');
  worker.send({ type: 'terminate' });
  let signalledAt = 0;
  setTimeout(() => {
    signalledAt = performance.now();
    process.kill(worker.pid, 'SIGTERM');
  }, LATE_MS);
  const { code, lines, stderr } = await worker.ended;
  t.same(
    { code, lines, stderr },
    { code: 0, lines: ['listens', 'listeners 0', 'cleaned up'], stderr: '' },
    'and its listener is as it was when it is called',
  );
  t.ok(performance.now() - signalledAt < 4_000, 'without waiting for another signal');
});

/** Knows of SIGINT alone, as PM2 has taught it, and ends for want of work. */
const INTERRUPTED = `
  const server = require('node:http').createServer();
  server.listen(process.env.FOLDER + '/app', () => console.log('listens'));
  process.on('SIGINT', () => server.close(() => console.log('cleaned up')));
`;

t.test('one that is to drain and to end at once ends when its signal has come', async (t) => {
  const worker = new Preloaded(t, INTERRUPTED, { env: { FOLDER: makeFolder(t) } }, true);
  await worker.line(/^listens/);
  worker.send({ ...DRAIN, windowMs: 0, sayShutdown: 'late' });
  worker.send({ type: 'terminate' });
  await worker.tells('drained');
  const signalledAt = performance.now();
  setTimeout(() => process.kill(worker.pid, 'SIGTERM'), 50);
  const { code, lines, stderr } = await worker.ended;
  t.same({ code, lines, stderr }, { code: 0, lines: ['listens', 'cleaned up'], stderr: '' });
  t.ok(performance.now() - signalledAt < 4_000, 'without waiting for another signal');
});
