import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Config } from '../../../../src/config/config.js';
import { FirstWorker } from '../../../../src/supervisor/workers/process/first-worker.js';
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
