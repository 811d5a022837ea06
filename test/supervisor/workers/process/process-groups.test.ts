import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import t, { type Test } from 'tap';
import { createLog } from '../../../../src/logs/logger.js';
import type { WorkerHandle } from '../../../../src/supervisor/workers/process/handle.js';
import { killGroup, ProcessGroups } from '../../../../src/supervisor/workers/process/process-groups.js';
import { endWith, haveEnded, isRunning } from '../../../e2e/support/processes.js';

const STAYS = 'console.log(process.pid); setTimeout(() => {}, 300_000);';
/** Starts another one, and ends when it is told to, or at once. */
const leader = (
  ending: string,
) => `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(STAYS)}],
  { stdio: ['ignore', 'pipe', 'ignore'] });
child.stdout.once('data', (pid) => { console.log(String(pid)); ${ending} });`;

function makeGroups(t: Test): ProcessGroups {
  const logFile = path.join(t.testdir({}), 'log');
  return new ProcessGroups(createLog({ name: 'x', logLevel: 'info', logFormat: 'json', logFile }));
}

/** One that leads a group, once it has said what it says. */
async function begin(t: Test, script: string) {
  const child = spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const said = Number(String((await once(child.stdout, 'data'))[0]));
  endWith(t, child.pid ?? 0, said);
  return { child, said };
}

const workerOf = ({ pid }: ChildProcess, killTimeoutMs = 60_000) =>
  ({
    pid,
    identity: { worker: 1, slot: 0, generation: 1, name: 'x' },
    release: { config: { keepChildren: false, killTimeoutMs } },
  }) as unknown as WorkerHandle;

t.test('what a worker has left behind is ended', async (t) => {
  const { child, said } = await begin(t, leader('process.exit()'));
  if (child.exitCode === null) await once(child, 'exit');
  const groups = makeGroups(t);
  groups.ended(workerOf(child));
  await haveEnded(said);
  await groups.gone();
});

t.test('a process that has been given the number of a worker is left alone, with its group', async (t) => {
  const { child, said } = await begin(t, leader(''));
  const groups = makeGroups(t);
  // As if a worker of that number had ended before it was started.
  groups.ended(workerOf(child, 0));
  groups.killAll();
  await groups.gone();
  killGroup({ pid: child.pid, exitCode: 1, signalCode: null });
  killGroup({ pid: child.pid, exitCode: null, signalCode: 'SIGTERM' });
  t.same([child.pid ?? 0, said].map(isRunning), [true, true]);
});

t.test('a worker that runs is killed with its group, and so is the group of one that has ended', async (t) => {
  const running = await begin(t, leader(''));
  killGroup(running.child);
  await haveEnded(running.child.pid ?? 0, running.said);
  const ended = await begin(t, leader('process.exit()'));
  if (ended.child.exitCode === null) await once(ended.child, 'exit');
  killGroup(ended.child);
  await haveEnded(ended.said);
  t.pass('nobody is left');
});
