import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import WebSocket from 'ws';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';

t.test(
  'a worker that stands at a breakpoint is left alone, and is watched again once its debugger has gone',
  async (t) => {
    const port = await freePort();
    const mood = path.join(t.testdir({}), 'mood');
    writeFileSync(mood, 'good');
    const holdfast = new Holdfast(t, path.join(apps, 'release.cjs'), {
      args: ['-i', '1', '--hang-timeout', '1s'],
      env: { PORT: String(port), MOOD_FILE: mood },
    });
    await holdfast.message('started');
    const [worker] = (await holdfast.status()).workers;
    if (worker?.pid == null) throw new Error('there is no worker');
    process.kill(worker.pid, 'SIGUSR1');
    const { msg } = await holdfast.line((line) => String(line.msg).startsWith('Debugger listening on ws:'));
    const url = String(msg).split(' ').at(-1) ?? '';
    const socket = new WebSocket(url, { perMessageDeflate: false });
    t.teardown(() => socket.terminate());
    await once(socket, 'open');
    const paused = new Promise<void>((resolve) => {
      socket.on('message', (text) => {
        if (String(text).includes('Debugger.paused')) resolve();
      });
    });
    socket.send('{"id":1,"method":"Debugger.enable"}');
    // Stands until it is told to go on, whatever comes.
    socket.send(
      '{"id":2,"method":"Runtime.evaluate","params":{"expression":"setTimeout(() => { debugger; for (;;); }, 10)"}}',
    );
    await paused;
    // Three times as long as one may be silent: only a timer can tell that nothing happens.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    t.same(holdfast.lines('worker hung'), []);
    t.equal((await holdfast.status()).workers[0]?.pid, worker.pid);
    // Without its debugger it runs on, into an endless loop.
    socket.terminate();
    t.match(await holdfast.message('worker hung'), { worker: worker.id });
  },
);
