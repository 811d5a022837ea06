import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Config } from '../../../../src/config/config.js';
import { FirstWorker, forkFirstWorker } from '../../../../src/supervisor/workers/process/first-worker.js';
import type { ServiceEnvironment } from '../../../../src/systemd/environment.js';
import { makeRuntimeDir } from '../../../e2e/support/holdfast.js';
import { endWith, haveEnded, isRunning } from '../../../e2e/support/processes.js';

const WRAPPER = `const { spawn } = require('node:child_process');
const { renameSync, writeFileSync } = require('node:fs');
const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setTimeout(() => {}, 300_000)"], { stdio: 'ignore' });
writeFileSync('pids.new', process.pid + ' ' + child.pid);
renameSync('pids.new', 'pids');
setInterval(() => {}, 1_000);`;

t.test('a first worker that nobody takes goes with all that it has started, unless that is to stay', async (t) => {
  for (const keepChildren of [false, true]) {
    const cwd = path.join(
      t.testdir({ kept: { 'app.cjs': WRAPPER }, ended: { 'app.cjs': WRAPPER } }),
      keepChildren ? 'kept' : 'ended',
    );
    const script = path.join(cwd, 'app.cjs');
    const config = { script, args: [], nodeArgs: [], env: { NODE_OPTIONS: '' }, keepChildren } as unknown as Config;
    const release = { id: 1, config, script, cwd, fingerprint: '', loadedAtMs: 0, scriptChangedAtMs: 0 };
    const first = new FirstWorker({ worker: 1, slot: 0, generation: 1, name: 'x' }, release, cwd);
    t.teardown(() => first.discard());
    while (!existsSync(path.join(cwd, 'pids'))) await delay(5);
    const [worker = 0, child = 0] = readFileSync(path.join(cwd, 'pids'), 'utf8').split(' ').map(Number);
    endWith(t, child);
    first.discard();
    await haveEnded(...(keepChildren ? [worker] : [worker, child]));
    t.equal(isRunning(child), keepChildren);
  }
});

t.test('none is forked early where a supervisor of that name runs or was killed, or sockets were passed', async (t) => {
  // Not t.testdir(): its paths are longer than the name of a unix socket may be.
  const runtimeDir = makeRuntimeDir(t);
  const cwd = t.testdir({ 'app.cjs': 'setInterval(() => {}, 1_000);' });
  const config = {
    ...{
      name: 'shop',
      script: path.join(cwd, 'app.cjs'),
      cwd,
      exec: false,
      args: [],
      nodeArgs: [],
      env: { NODE_OPTIONS: '' },
    },
    ...{ keepChildren: false, orphanTimeoutMs: 1_000, drainTimeoutMs: 1_000, killTimeoutMs: 1_000, admin: null },
  } as unknown as Config;
  const isForked = async (more: Partial<Config> = {}, fdNames: readonly string[] = []) => {
    const environment = { fdNames } as unknown as ServiceEnvironment;
    const first = await forkFirstWorker({ config: { ...config, ...more }, runtimeDir, environment });
    first?.discard();
    return first !== null;
  };
  t.equal(await isForked(), true);
  t.equal(await isForked({ exec: true }), false, 'a program needs its sockets first');
  t.equal(await isForked({}, ['web']), false, 'sockets were passed');
  for (const left of ['shop.attach', 'shop.state']) {
    writeFileSync(path.join(runtimeDir, left), '');
    t.equal(await isForked(), false, left);
    t.equal(await isForked({ name: 'other' }), true, 'of another name');
    rmSync(path.join(runtimeDir, left));
  }
  const socket = path.join(runtimeDir, 'shop.sock');
  const server = net.createServer().listen(socket);
  await once(server, 'listening');
  t.equal(await isForked(), false, 'one runs');
  // A name that is left when the process is gone.
  await rename(socket, `${socket}.kept`);
  server.close();
  await once(server, 'close');
  await rename(`${socket}.kept`, socket);
  t.equal(await isForked(), false, 'one was killed');
  rmSync(socket);
  t.equal(await isForked(), true);
});
