/** A supervisor in a real terminal: Ctrl-C, Ctrl-Z, and a window that is closed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { bin, type LogLine, makeRuntimeDir, plainly, root, run } from './support/holdfast.js';
import { endWith, haveEnded } from './support/processes.js';

t.jobs = 2;

const PTY = path.join(root, 'test/fixtures/terminal.py');
const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;
const hasBash = spawnSync('bash', ['--version']).status === 0;
const skip = hasPython ? false : 'needs python3, for a pseudo-terminal';

const APP = `process.on('SIGHUP', () => console.log('worker heard SIGHUP'));
process.on('exit', () => console.log('worker ended well'));
const server = require('node:http').createServer((_request, response) => response.end(String(process.pid)));
server.listen(process.env.PORT, '127.0.0.1');
process.once('SIGTERM', () => server.close());`;

const HANG_MS = 500;

class Terminal {
  readonly child;
  shown = '';
  readonly #dir: string;
  readonly #file: string;
  readonly closed: Promise<number | null>;

  constructor(t: Test, command: readonly string[], file = '') {
    this.#file = file;
    this.#dir = path.dirname(file);
    this.child = spawn('python3', [PTY, ...command], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
    this.closed = once(this.child, 'close').then(([code]) => code as number | null);
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text;
    });
    // Its end closes the terminal, and so ends what runs in it.
    t.teardown(() => this.child.stdin.end());
    endWith(t, this.child.pid ?? 0);
  }

  get dir(): string {
    return this.#dir;
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  close(): void {
    this.child.stdin.end();
  }

  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.shown)) await once(this.child.stdout, 'data');
  }

  get log(): LogLine[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  lines(msg: string): LogLine[] {
    return this.log.filter((line) => line.msg === msg);
  }

  async logs(msg: string): Promise<void> {
    while (this.lines(msg).length === 0) await delay(10);
  }
}

interface Beginning {
  readonly through?: readonly string[];
  readonly args?: readonly string[];
  /** What is typed behind the command. */
  readonly behind?: string;
}

async function begin(t: Test, { through = [], args = [], behind = '' }: Beginning = {}) {
  const runtimeDir = makeRuntimeDir(t);
  const file = path.join(runtimeDir, 'log');
  const port = await freePort();
  const script = path.join(t.testdir({ 'app.cjs': APP }), 'app.cjs');
  const words = [bin, 'start', script, '-i', '2', '--name', 'shop', '--log-file', file, ...args];
  const env = { HOLDFAST_RUNTIME_DIR: runtimeDir, PORT: String(port) };
  const command = plainly(words, env).flat();
  const terminal = new Terminal(t, through.length > 0 ? through : command, file);
  if (through.length > 0) terminal.type(`${command.join(' ')} ${behind}\n`);
  // With what follows it: a number may come in two pieces.
  await terminal.shows(/runs with 2 workers, PID \d+\D/);
  const pid = Number(/runs with 2 workers, PID (\d+)/.exec(terminal.shown)?.[1]);
  endWith(t, pid);
  return { terminal, port, pid, runtimeDir };
}

t.test('Ctrl-C reaches the supervisor alone, which has its workers end', { skip }, async (t) => {
  const { terminal } = await begin(t);
  terminal.type('\x03');
  t.equal(await terminal.closed, 0);
  t.match(terminal.lines('stop asked for'), [{ signal: 'SIGINT' }]);
  t.equal(terminal.lines('worker ended well').length, 2);
  t.equal(terminal.lines('worker crashed').length, 0);
});

t.test('a terminal that is closed ends plain node', { skip }, async (t) => {
  const command = plainly(['-e', 'console.log("runs"); setInterval(() => {}, 1e6)']).flat();
  const terminal = new Terminal(t, command);
  await terminal.shows(/runs/);
  terminal.close();
  t.equal(await terminal.closed, 129);
});

t.test('a terminal that is closed stops the supervisor, as any stop', { skip }, async (t) => {
  const { terminal } = await begin(t);
  terminal.close();
  t.equal(await terminal.closed, 0);
  t.match(terminal.lines('terminal closed: stop asked for'), [{ signal: 'SIGHUP' }]);
  t.equal(terminal.lines('worker ended well').length, 2);
  t.equal(terminal.lines('worker heard SIGHUP').length, 0);
  t.equal(terminal.lines('reload asked for').length, 0);
});

t.test('so does that of a shell in which it runs', { skip: skip || (hasBash ? false : 'needs bash') }, async (t) => {
  const { terminal, pid } = await begin(t, { through: ['bash', '--norc', '--noprofile', '-i'] });
  terminal.close();
  await haveEnded(pid);
  t.equal(terminal.lines('terminal closed: stop asked for').length, 1);
  t.equal(terminal.lines('worker ended well').length, 2, 'a second SIGHUP does not hurry it');
  t.equal(terminal.lines('supervisor stopped').length, 1);
});

t.test('any other SIGHUP reloads', { skip }, async (t) => {
  const { terminal, pid } = await begin(t);
  process.kill(pid, 'SIGHUP');
  await terminal.logs('rollout done');
  t.match(terminal.lines('reload asked for'), [{ signal: 'SIGHUP' }]);
  terminal.type('\x03');
  t.equal(await terminal.closed, 0);
});

t.test('without a standard stream on the terminal it outlives it, as with nohup', { skip }, async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const file = path.join(runtimeDir, 'log');
  const script = path.join(t.testdir({ 'app.cjs': APP }), 'app.cjs');
  const env = { HOLDFAST_RUNTIME_DIR: runtimeDir, PORT: String(await freePort()) };
  const command = plainly([bin, 'start', script, '--log-file', file], env).flat();
  const terminal = new Terminal(t, ['sh', '-c', '"$@" </dev/null >/dev/null 2>&1; :', 'sh', ...command], file);
  await terminal.logs('started');
  const pid = Number(terminal.lines('supervisor started')[0]?.pid);
  endWith(t, pid);
  terminal.close();
  await terminal.logs('rollout done');
  process.kill(pid, 'SIGTERM');
  await haveEnded(pid);
  t.equal(terminal.lines('terminal closed: stop asked for').length, 0);
});

t.test(
  'where the shell has left it behind it outlives the terminal, and SIGHUP reloads',
  { skip: skip || (hasBash ? false : 'needs bash') },
  async (t) => {
    const { terminal, pid } = await begin(t, {
      through: ['bash', '--norc', '--noprofile', '-i'],
      behind: '& disown',
    });
    terminal.close();
    await terminal.closed;
    await terminal.logs('terminal closed: the supervisor outlives it');
    process.kill(pid, 'SIGHUP');
    await terminal.logs('rollout done');
    t.match(terminal.lines('reload asked for'), [{ signal: 'SIGHUP' }]);
    process.kill(pid, 'SIGTERM');
    await haveEnded(pid);
    t.equal(terminal.lines('terminal closed: stop asked for').length, 0);
  },
);

t.test('a terminal that is closed while it starts ends it', { skip }, async (t) => {
  const file = path.join(
    t.testdir({ 'slow.config.mjs': 'await new Promise(() => setInterval(() => {}, 1e6));' }),
    'slow.config.mjs',
  );
  const terminal = new Terminal(t, plainly([bin, 'start', file], { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) }).flat());
  const { pid } = terminal.child;
  const children = (parent: number) => {
    // One of them may have ended since it was listed.
    try {
      return readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  };
  let reader: number[] = [];
  while (reader.length === 0) {
    await delay(5);
    reader = children(pid ?? 0).flatMap(children);
  }
  const began = performance.now();
  terminal.close();
  // Who reads the configuration may go first: the terminal is closed for both.
  t.match(String(await terminal.closed), /^(?:129|1)$/);
  await haveEnded(...reader);
  t.ok(performance.now() - began < 8_000, 'sooner than the configuration would have been given up');
});

t.test(
  'Ctrl-Z stops the supervisor alone; fg lets it go on, and takes no worker for hung',
  { skip: skip || (hasBash ? false : 'needs bash') },
  async (t) => {
    const { terminal, port, runtimeDir } = await begin(t, {
      through: ['bash', '--norc', '--noprofile', '-i'],
      args: ['--hang-timeout', `${HANG_MS}ms`],
    });
    terminal.type('\x1a');
    await terminal.shows(/Stopped/);
    // For longer than a worker may be silent.
    const until = performance.now() + 2 * HANG_MS;
    while (performance.now() < until) t.ok(await ask(port), 'the workers serve');
    terminal.type('fg\n');
    // By then it has looked at its workers: what is due comes before what it is asked.
    const status = JSON.parse((await run(['status', '--json'], { runtimeDir })).stdout);
    t.match(status, {
      workers: [
        { id: 1, state: 'ready' },
        { id: 2, state: 'ready' },
      ],
    });
    t.equal(terminal.lines('worker hung').length, 0);
    terminal.type('\x03');
    await terminal.logs('supervisor stopped');
    terminal.type('exit\n');
    await terminal.closed;
    t.equal(terminal.lines('worker ended well').length, 2);
  },
);
