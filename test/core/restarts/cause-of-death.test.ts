import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { causeOfDeath, type Facts } from '../../../src/core/restarts/cause-of-death.js';
import { createLog } from '../../../src/logs/logger.js';
import { captureOutput } from '../../../src/logs/worker-output.js';

const FACTS: Facts = { code: null, signal: null, lastLines: [], oomKilled: false };
const cause = (facts: Partial<Facts>) => causeOfDeath({ ...FACTS, ...facts });

t.test('every end has a cause', async (t) => {
  t.same(cause({ code: 3 }), { cause: 'exit', text: 'a worker exited with code 3' });
  t.same(cause({ signal: 'SIGSEGV' }), { cause: 'signal', text: 'a worker was ended by SIGSEGV' });
  t.same(cause({ signal: 'SIGKILL' }), { cause: 'signal', text: 'a worker was ended by SIGKILL' });
  t.match(cause({ signal: 'SIGKILL', oomKilled: true }), { cause: 'outOfMemoryKilled', text: /OOM killer/ });
  t.equal(cause({ signal: 'SIGSEGV', oomKilled: true }).cause, 'signal', 'the killer has only one way');
  t.match(cause({ lastLines: ['spawn EAGAIN'] }), { cause: 'notStarted', text: /could not be started: spawn EAGAIN/ });
});

/** The end of a real process, as the supervisor hears of it: the last that it wrote comes through the worker's output. */
async function run(t: Test, ...args: string[]): Promise<Partial<Facts>> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
  t.teardown(() => child.kill('SIGKILL'));
  const log = createLog({ name: 'app', logLevel: 'info', logFormat: 'json', logFile: `${t.testdir({})}/app.log` });
  const exited = once(child, 'exit');
  const output = captureOutput({ stdout: child.stdout, stderr: child.stderr, slot: 0, worker: 1, generation: 1, log });
  const [code, signal] = await exited;
  await output.ended;
  return { code, signal, lastLines: output.tail() };
}

const ends: [cause: string, what: string, program: string][] = [
  ['uncaught', 'an error', 'null.x'],
  ['uncaught', 'a rejection', 'Promise.reject(new RangeError("late"))'],
  ['uncaught', 'what is no error', 'throw "oops"'],
  [
    'uncaught',
    'an error of many lines and fields',
    'throw Object.assign(new Error("one\\ntwo"), { name: "Fault", why: {} })',
  ],
  ['uncaught', 'an error that follows an error', 'process.on("uncaughtException", () => { throw 1; }); null.x'],
  [
    'uncaught',
    'a code of its own, and words at the exit',
    'process.on("exit", () => { console.error("bye"); process.exitCode = 9; }); null.x',
  ],
  ['exit', 'an error that was caught and printed', 'console.error(new Error("handled")); process.exit(1)'],
  ['exit', 'an end in peace', 'console.error("bye")'],
  [
    'exit',
    'the uncaught error of another process, which it has started',
    'require("child_process").spawnSync(process.execPath, ["-e", "null.x"], { stdio: "inherit" }); console.error("go on"); process.exit(3)',
  ],
];

for (const [expected, what, program] of ends) {
  t.test(`tells ${expected} by what node really prints: ${what}`, async (t) => {
    t.equal(cause(await run(t, '-e', program)).cause, expected);
  });
}

t.test('the limit of the heap is told from other aborts', async (t) => {
  const script = 'const all = []; for (;;) all.push(new Array(1e3).fill(0).map((_, i) => ({ i })))';
  const facts = await run(t, '--max-old-space-size=20', '-e', script);
  t.match(cause(facts), { cause: 'heapOutOfMemory', text: /--max-old-space-size/ });
  t.equal(cause({ ...facts, signal: null, code: 134 }).cause, 'heapOutOfMemory', 'as a shell in between tells it');
  t.equal(
    cause({ ...facts, signal: null, code: 3 }).cause,
    'exit',
    'it was another process, which the worker outlived',
  );
  t.match(cause(await run(t, '-e', 'process.abort()')), { cause: 'signal', text: /SIGABRT/ });
});
