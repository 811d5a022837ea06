/** Starts a program plainly, then under holdfast; reloads it while it is asked; stops it. */
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { Holdfast } from '../e2e/support/holdfast.js';
import { freePort } from '../support/ports.js';
import { install, startCommand } from './install.js';
import type { Beside, Program, Question } from './program.js';
import { type Answer, ask, Visitors } from './visitors.js';

const RELOADS = 3;
/** Of each question, after a reload: more than the clients had on their way. */
const THEN = 20;
const POLL_MS = 50;

export async function behavesAsUnderPlainNode(t: Test, program: Program): Promise<void> {
  const cwd = await install(t, program);
  if (cwd === null) {
    t.plan(0, 'it is not installed, and there is no network');
    return;
  }
  const expected = await answersOfPlainNode(t, program, cwd);

  const { start, announces, instances = 2, get, post } = program;
  const [target = '', ...args] = start.split(' ');
  const port = announces === undefined ? await freePort() : null;
  const beside = await program.beside?.(t);
  const holdfast = new Holdfast(t, target, {
    cwd,
    args: ['-i', String(instances), '--name', 'app', ...args],
    env: variables(program, port, beside),
  });
  await holdfast.message('started');
  const itsPort = port ?? (await holdfast.port());
  await asksAll(t, itsPort, expected, 'after the start');

  const visitors = new Visitors(
    itsPort,
    new Map([...expected].filter(([question]) => question === get || question === post)),
  );
  t.teardown(() => visitors.stop());
  await visitors.more(THEN);
  for (let generation = 2; generation <= RELOADS + 1; generation++) {
    const { code, stderr } = await holdfast.run('reload');
    t.equal(code, 0, `reload to generation ${generation} ${stderr.split('\n').at(-2)}`);
    await visitors.more(THEN);
  }
  await visitors.stop();
  t.same(visitors.errors, {}, `no error of any kind: ${visitors.summary()}`);
  const { workers } = await holdfast.status();
  t.same(
    workers.map(({ generation, state }) => ({ generation, state })),
    Array(instances).fill({ generation: RELOADS + 1, state: 'ready' }),
    'all workers are of the last generation',
  );
  await asksAll(t, itsPort, expected, 'after the reloads');
  const answers = visitors.asked + 2 * expected.size;

  t.equal((await holdfast.run('stop')).code, 0, 'it is asked to stop');
  t.equal(await holdfast.closed, 0, 'and ends without an error');
  t.equal(holdfast.lines('worker started').length, instances * (RELOADS + 1), 'no other worker was needed');
  t.same(warnings(holdfast), [], 'and holdfast had nothing to warn of');
  beside?.check(answers);
  t.equal(await isOpen(itsPort), false, 'nobody listens there any more');
}

async function answersOfPlainNode(t: Test, program: Program, cwd: string): Promise<Map<Question, Answer>> {
  const { plain, announces, get, post, others = [] } = program;
  const given = announces === undefined ? await freePort() : null;
  const command = startCommand(t, plain, { cwd, env: variables(program, given, await program.beside?.(t)) });
  let hasEnded = false;
  command.closed.then(() => {
    hasEnded = true;
  });
  const begun = async (): Promise<number> => {
    for (;;) {
      const port = given ?? Number(announces?.exec(command.output())?.[1] ?? 0);
      if (port !== 0 && (await isAnswering(port, get))) return port;
      if (hasEnded) throw new Error(`"${plain}" ended by itself:\n${command.output().slice(-4000)}`);
      await pause(POLL_MS);
    }
  };
  const port = await begun();
  const answers = new Map<Question, Answer>();
  for (const question of [get, post, ...others]) {
    const answer = await ask(port, question);
    t.match(answer.body, question.expected, `plain Node: ${question.path}`);
    t.equal(answer.status, 200, question.path);
    answers.set(question, answer);
  }
  await command.end();
  return answers;
}

async function asksAll(t: Test, port: number, expected: ReadonlyMap<Question, Answer>, when: string): Promise<void> {
  for (const [question, { status, type, body }] of expected) {
    const answer = await ask(port, question);
    t.match(answer, { status, type, body: question.differs ? question.expected : body }, `${question.path} ${when}`);
  }
}

function variables({ env = {} }: Program, port: number | null, beside?: Beside): Record<string, string> {
  return { NODE_ENV: 'production', ...env, ...beside?.env, ...(port !== null && { PORT: String(port) }) };
}

/** What holdfast says by itself, beside what the workers print. */
function warnings(holdfast: Holdfast): string[] {
  return holdfast.log
    .filter(({ level, stream }) => stream === undefined && (level === 'warn' || level === 'error'))
    .map((line) => JSON.stringify(line));
}

async function isAnswering(port: number, question: Question): Promise<boolean> {
  return ask(port, question).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
