/** `holdfast top` in a real terminal: what is to be seen, the keys, and how the terminal is left. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { bin, Holdfast, makeRuntimeDir, plainly, root } from './support/holdfast.js';
import { endWith, haveEnded } from './support/processes.js';
import { Screen } from './support/screen.js';

const PTY = path.join(root, 'test/fixtures/terminal.py');
const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;
const skip = hasPython && process.platform === 'linux' ? false : 'needs Linux, and python3 for a pseudo-terminal';

const APP = `const server = require('node:http').createServer((request, response) => {
  console.log('漢字 of \\u001b[2J' + request.url);
  response.statusCode = request.url === '/bad' ? 500 : 200;
  response.end('ok');
});
server.listen(process.env.PORT, '127.0.0.1');
process.once('SIGTERM', () => server.close());`;

interface Looks {
  readonly width?: number;
  readonly height?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

class Top {
  readonly screen: Screen;
  readonly folder: string;
  readonly #child: ChildProcess & { readonly stdout: NodeJS.ReadableStream; readonly stdin: NodeJS.WritableStream };
  #shown = '';
  readonly closed: Promise<number | null>;

  constructor(t: Test, runtimeDir: string, words: readonly string[] = [], looks: Looks = {}) {
    const { width = 80, height = 24, env = {}, nodeArgs = [] } = looks;
    this.screen = new Screen(width, height);
    this.folder = makeRuntimeDir(t);
    const all = { HOLDFAST_RUNTIME_DIR: runtimeDir, TERM: 'xterm-256color', ...env };
    const command = plainly([...nodeArgs, bin, 'top', ...words], all).flat();
    // The modes of the terminal before and behind it; the shell waits for it, and ends as it did.
    const script = `stty cols ${width} rows ${height}; stty -a >"$0/before"; "$@"; code=$?; stty -a >"$0/after"; exit $code`;
    const child = spawn('python3', [PTY, 'sh', '-c', script, this.folder, ...command], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.closed = once(child, 'close').then(([code]) => code as number | null);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#shown += text;
      this.screen.write(text);
    });
    // Its end closes the terminal, and so ends what runs in it.
    t.teardown(() => child.stdin.end());
    endWith(t, child.pid ?? 0);
  }

  /** All that was ever written. */
  get shown(): string {
    return this.#shown;
  }

  get text(): string {
    return this.screen.lines.join('\n');
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  close(): void {
    this.#child.stdin.end();
  }

  /** On a screen that is drawn to its end. */
  async shows(...patterns: readonly RegExp[]): Promise<void> {
    await this.#until(() => patterns.every((pattern) => pattern.test(this.text)));
  }

  async hides(pattern: RegExp): Promise<void> {
    await this.#until(() => !pattern.test(this.text));
  }

  async #until(holds: () => boolean): Promise<void> {
    while (this.screen.isDrawing || !holds()) await once(this.#child.stdout, 'data');
  }

  /** The program itself: below the shell, which is below what makes the terminal. */
  get pid(): number {
    const childOf = (pid: number) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ')[0]);
    return childOf(childOf(this.#child.pid ?? 0));
  }

  resize(width: number, height: number): void {
    this.screen.resize(width, height);
    const size = ['cols', String(width), 'rows', String(height)];
    spawnSync('stty', ['-F', readlinkSync(`/proc/${this.pid}/fd/0`), ...size]);
  }

  /** How the terminal is: as before, or what is different. */
  get left(): unknown {
    const [before, after] = ['before', 'after'].map((name) => readFileSync(path.join(this.folder, name), 'utf8'));
    const { isOther, cursorIsShown, breaksLines, unknown } = this.screen;
    return { isOther, cursorIsShown, breaksLines, unknown, modes: before === after ? 'as before' : after };
  }
}

const CLEAN = { isOther: false, cursorIsShown: true, breaksLines: true, unknown: [], modes: 'as before' };

function write(t: Test, name: string, text: string): string {
  const file = path.join(makeRuntimeDir(t), name);
  writeFileSync(file, text);
  return file;
}

async function running(t: Test, { name = 'shop', runtimeDir = makeRuntimeDir(t), size = '2' } = {}) {
  const port = await freePort();
  const script = write(t, 'app.cjs', APP);
  const args = ['--name', name, '-i', size];
  const holdfast = new Holdfast(t, script, { args, runtimeDir, env: { PORT: String(port) } });
  await holdfast.message('started');
  return { holdfast, port, runtimeDir, script, args };
}

t.test('workers, their figures and the log are shown, and q leaves the terminal as it was', { skip }, async (t) => {
  const { holdfast, port } = await running(t);
  const top = new Top(t, holdfast.runtimeDir);
  await top.shows(/^shop {2}running {2}generation 1 {2}2 of 2 ready/m, /^> {3}0 {3}1 ready /m, /^ {4}1 {3}1 ready /m);
  t.match([top.screen.isOther, top.screen.cursorIsShown], [true, false]);
  // Until a look has seen both: rates are those of the last second.
  const asking = new AbortController();
  const load = (async () => {
    while (!asking.signal.aborted) for (const url of ['/good', '/bad']) await ask(port, url).catch(() => {});
  })();
  await top.shows(/req\/s [1-9]/, /err\/s [1-9]/, /p99 [\d.]+ms/, /info {2}slot \d worker \d 漢字 of .*\/bad$/m);
  asking.abort();
  await load;
  t.equal(top.shown.includes('\u001b[2J/'), false, 'no order of a worker reaches the terminal');
  t.ok(top.screen.colours.size > 0);
  top.type('q');
  t.equal(await top.closed, 0);
  t.same(top.left, CLEAN);
});

t.test('keys: sorting, filtering, one worker, help; and the size may change', { skip }, async (t) => {
  const { holdfast } = await running(t, { size: '3' });
  const top = new Top(t, holdfast.runtimeDir, ['shop']);
  await top.shows(/3 of 3 ready/);
  top.type('o');
  await top.shows(/↓slot[\s\S]*^> {3}2 [\s\S]*^ {4}0 /m);
  top.type('/slot 1\r');
  await top.shows(/filter: slot 1/, /^> {3}1 {3}1 ready/m);
  t.notMatch(top.text, /^. {3}[02] {3}1 ready/m);
  top.type('\r');
  await top.shows(/^ worker 2 {2}slot 1 {2}generation 1/m, /^log of worker 2$/m);
  top.type('?');
  await top.shows(/^holdfast top {2}any key goes back$/m);
  top.type(' ');
  await top.shows(/^log of worker 2$/m);
  top.resize(50, 10);
  await top.shows(/^The terminal is too small\n50x10; needs 60x12$/m);
  top.resize(160, 50);
  await top.shows(/^ worker 2 {2}slot 1/m);
  // The one key that a terminal sends as a beginning of others.
  top.type('\u001b');
  await top.shows(/↓slot worker gen {5}pid/);
  top.type('\u0003');
  t.equal(await top.closed, 0);
  t.same(top.left, { ...CLEAN, modes: top.left instanceof Object ? (top.left as { modes: string }).modes : '' });
  t.match(readFileSync(path.join(top.folder, 'after'), 'utf8'), / icanon .* echo /s);
});

t.test('reload and scale ask first, and show how it goes and how it ended', { skip }, async (t) => {
  const { holdfast } = await running(t);
  const top = new Top(t, holdfast.runtimeDir, [], { width: 100 });
  await top.shows(/2 of 2 ready/);
  top.type('r');
  await top.shows(/Reload shop: replace all 2 workers\? {2}y yes/);
  top.type('n');
  await top.shows(/↑↓ choose/);
  t.equal((await holdfast.status()).generation, 1);
  top.type('r');
  await top.shows(/Reload shop/);
  top.type('y');
  await top.shows(/^ shop: reloaded$/m, /generation 2 {2}2 of 2 ready/, /rollout done from generation 1 to 2/);
  top.type('++');
  await top.shows(/Scale shop from 2 to 4 workers\?/);
  top.type('-y');
  await top.shows(/^ shop: scaled to 3$/m, /3 of 3 ready/);
  t.equal((await holdfast.status()).size, 3);
  top.type('q');
  t.equal(await top.closed, 0);
  t.same(top.left, CLEAN);
});

t.test('the supervisor goes away, which is said, and is there again', { skip }, async (t) => {
  const { holdfast, runtimeDir, port, script } = await running(t);
  const top = new Top(t, runtimeDir);
  await top.shows(/2 of 2 ready/);
  t.equal((await holdfast.run('stop')).code, 0);
  await top.shows(/^shop {2}the supervisor has gone, \S+ ago; waiting for it$/m, /supervisor stopped/);
  const env = { PORT: String(port) };
  const again = new Holdfast(t, script, { args: ['--name', 'shop', '-i', '3'], runtimeDir, env });
  await again.message('started');
  await top.shows(/^shop {2}running {2}generation 1 {2}3 of 3 ready/m, /supervisor started/);
  // Its log is that of the new one, as soon as that has been asked for.
  await top.hides(/supervisor stopped/);
  t.notMatch(top.text, /supervisor stopped/);
  top.type('q');
  t.equal(await top.closed, 0);
  t.same(top.left, CLEAN);
});

t.test('signals, and a fault of its own, leave the terminal as it was', { skip }, async (t) => {
  const { holdfast } = await running(t);
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 0],
  ] as const) {
    const top = new Top(t, holdfast.runtimeDir);
    await top.shows(/2 of 2 ready/);
    process.kill(top.pid, signal);
    t.equal(await top.closed, code, signal);
    t.same(top.left, CLEAN, signal);
  }
  const fault = write(t, 'fault.cjs', FAULT);
  const top = new Top(t, holdfast.runtimeDir, [], { nodeArgs: ['--require', fault] });
  await top.shows(/2 of 2 ready/);
  process.kill(top.pid, 'SIGUSR2');
  t.equal(await top.closed, 1);
  t.same(top.left, CLEAN);
  t.match(top.text, /Error: a fault of its own/, 'and what it was is to be read');
});

const FAULT = `process.on('SIGUSR2', () => { throw new Error('a fault of its own'); });`;

t.test('a terminal that is closed ends it', { skip }, async (t) => {
  const { holdfast } = await running(t);
  const top = new Top(t, holdfast.runtimeDir);
  await top.shows(/2 of 2 ready/);
  const { pid } = top;
  top.close();
  await haveEnded(pid);
  t.pass('it has ended');
});

t.test('several supervisors: a list first', { skip }, async (t) => {
  const { holdfast, runtimeDir } = await running(t);
  await running(t, { name: 'api', runtimeDir, size: '1' });
  const top = new Top(t, runtimeDir);
  await top.shows(/^>api +running +1 +1\/1/m, /^ shop +running +1 +2\/2/m);
  top.type('j\r');
  await top.shows(/^shop {2}running/m);
  top.type('\u001b');
  await top.shows(/^>shop +running/m);
  top.type('q');
  t.equal(await top.closed, 0);
  t.same(top.left, CLEAN);
  const plain = await holdfast.run('top', '--once');
  t.match(plain, { code: 0, stdout: /^name.*\napi .*\nshop /, stderr: /one of them with --name/ });
});

t.test('without colours where they are not wanted', { skip }, async (t) => {
  const { holdfast } = await running(t);
  const top = new Top(t, holdfast.runtimeDir, [], { env: { NO_COLOR: '1' } });
  await top.shows(/2 of 2 ready/, /supervisor started/);
  top.type('q');
  t.equal(await top.closed, 0);
  t.same([...top.screen.colours], []);
  t.same(top.left, CLEAN);
});

t.test('where there is no terminal it is one plain table, or JSON', async (t) => {
  const { holdfast } = await running(t);
  const { code, stdout, stderr } = await holdfast.run('monit', 'shop');
  t.equal(code, 0, stderr);
  t.match(
    stdout,
    /^slot +worker +gen +pid +state .*req\/s +err\/s +p99 +queue +weight\n +0 .* ready .*\n +1 .* ready .*\n$/,
  );
  t.notMatch(stdout, '\u001b');
  const { workers } = JSON.parse((await holdfast.run('top', '--json')).stdout);
  t.match(workers, [
    { slot: 0, requestsPerS: 0, errorsPerS: 0, p99Ms: null },
    { slot: 1, requestsPerS: 0 },
  ]);
  t.match(await holdfast.run('top', 'nobody'), { code: 3, stderr: /^holdfast: cannot find the supervisor nobody/ });
});
