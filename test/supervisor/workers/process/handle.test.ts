import path from 'node:path';
import t from 'tap';
import type { Config } from '../../../../src/config/config.js';
import { createLog } from '../../../../src/logs/logger.js';
import { createBoundHandle } from '../../../../src/sockets/handles/handle.js';
import { Fork } from '../../../../src/supervisor/workers/process/fork.js';
import { WorkerHandle } from '../../../../src/supervisor/workers/process/handle.js';

t.test('what was to be sent to a worker that has ended is over with: its handles can be closed', async (t) => {
  const folder = t.testdir({
    // It never comes to reading what it is sent.
    'app.cjs': 'require("node:fs").writeSync(1, "deaf\\n"); for (;;);',
  });
  const script = path.join(folder, 'app.cjs');
  const config = { script, args: [], nodeArgs: [], env: { NODE_OPTIONS: '' } } as unknown as Config;
  const release = { id: 1, config, script, cwd: folder, fingerprint: '', loadedAtMs: 0, scriptChangedAtMs: 0 };
  const log = createLog({ name: 'x', logLevel: 'info', logFormat: 'json', logFile: path.join(folder, 'log') });
  const identity = { worker: 1, slot: 0, generation: 1, name: 'x' };
  const fork = new Fork(identity, release);
  const closed = new Promise<void>((resolve) => {
    const handle = new WorkerHandle(identity, release, fork, log, {
      onMessage: () => {},
      onSaidReady: () => {},
      onListening: () => {},
      onDisconnected: () => {},
      onEnded: () => {},
      onExited: () => {},
    });
    t.teardown(() => handle.signal('SIGKILL'));
    const socket = createBoundHandle('127.0.0.1', 0, 4, 0);
    if (typeof socket === 'number') throw new Error(`cannot bind: ${socket}`);
    fork.process.stdout?.once('data', () => {
      // Node keeps the second one back until the worker has acknowledged the first.
      const sent = [1, 2].map((slot) => handle.send({ type: 'adopt', key: '127.0.0.1:1', slot }, socket));
      void Promise.all(sent).then(() => socket.close(resolve));
      handle.signal('SIGKILL');
    });
  });
  await closed;
  t.pass('both were over with');
});
