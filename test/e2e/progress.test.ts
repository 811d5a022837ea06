/** The progress of commands in a real terminal: drawn over and over, left by Ctrl-C, and the same in plain lines elsewhere. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { bin, Holdfast, plainly, root } from './support/holdfast.js';
import { endWith } from './support/processes.js';
import { Screen } from './support/screen.js';

const PTY = path.join(root, 'test/fixtures/terminal.py');
const SERVER = path.join(root, 'examples/embedded/server.js');
const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;
const skip = hasPython ? false : 'needs python3, for a pseudo-terminal';

class View {
  readonly screen: Screen;
  readonly #child;
  /** Everything that was ever to be seen. */
  readonly seen: string[] = [];
  /** Pictures with more than one head. */
  readonly doubled: string[] = [];
  readonly closed: Promise<number | null>;

  constructor(t: Test, runtimeDir: string, words: readonly string[], width = 80, height = 24) {
    this.screen = new Screen(width, height);
    const command = plainly([bin, ...words], { HOLDFAST_RUNTIME_DIR: runtimeDir, TERM: 'xterm-256color' }).flat();
    const sized = ['sh', '-c', `stty cols ${width} rows ${height}; exec "$@"`, 'sh', ...command];
    this.#child = spawn('python3', [PTY, ...sized], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
    this.closed = once(this.#child, 'close').then(([code]) => code as number | null);
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.screen.write(text);
      const lines = this.screen.lines;
      this.seen.push(...lines);
      // Drawn over what was there: never beside it, once it is drawn to its end.
      const heads = lines.filter((line) => /^\w+ {2}\w+ {2}.* gone/.test(line)).length;
      if (heads > 1 && !this.screen.isDrawing) this.doubled.push(lines.join('\n'));
    });
    t.teardown(() => this.#child.stdin.end());
    endWith(t, this.#child.pid ?? 0);
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  async shows(pattern: RegExp): Promise<void> {
    while (!this.seen.some((line) => pattern.test(line))) await once(this.#child.stdout, 'data');
  }
}

async function running(t: Test, args: readonly string[] = [], trial = '0') {
  const port = await freePort();
  const holdfast = new Holdfast(t, SERVER, {
    args: ['--name', 'shop', '-i', '2', ...args],
    trial,
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  return { holdfast, port };
}

t.test('reload, scale and stop are drawn slot by slot, and leave one line behind', { skip }, async (t) => {
  const { holdfast } = await running(t, [], '500ms');
  const reload = new View(t, holdfast.runtimeDir, ['reload']);
  t.equal(await reload.closed, 0);
  for (const pattern of [
    /^shop {2}reload {2}generation 1 to 2 {2}\d of 2 replaced {2}\S+ gone/,
    /^ {2}slot {2}\d {2}(?:on trial, .*|starting, \S+), old one ready$/,
    /^ {2}slot {2}1 {2}old one ready$/,
    /^ {2}Ctrl-C leaves this view; the reload goes on$/,
  ]) {
    t.ok(
      reload.seen.some((line) => pattern.test(line)),
      String(pattern),
    );
  }
  const lines = reload.screen.lines.filter((line) => line !== '');
  t.equal(lines.length, 2, lines.join('\n'));
  t.match(lines[0], /^shop {2}reload {2}generation 2 {2}2 of 2 ready {2}\S+ gone$/);
  t.equal(lines[1], 'shop: reloaded');
  t.same([reload.screen.unknown, reload.doubled], [[], []]);

  const scale = new View(t, holdfast.runtimeDir, ['scale', '+1'], 160, 50);
  t.equal(await scale.closed, 0);
  t.ok(scale.seen.some((line) => /^shop {2}scale {2}generation 2 {2}\d of 3 ready/.test(line)));
  t.match(scale.screen.lines.join('\n'), /shop: scaled to 3/);
  const stop = new View(t, holdfast.runtimeDir, ['stop']);
  t.equal(await stop.closed, 0);
  t.match(stop.screen.lines.join('\n'), /^shop {2}stop {2}\S+ gone\nshop: stopped/);
});

t.test('Ctrl-C leaves the view and not the rollout, which can be followed and rolled back', { skip }, async (t) => {
  // Long enough that it is under way until it is rolled back.
  const { holdfast, port } = await running(t, [], '5m');
  const reload = new View(t, holdfast.runtimeDir, ['reload']);
  await reload.shows(/on trial, .* left, old one ready/);
  reload.type('\x03');
  t.equal(await reload.closed, 1);
  const left = reload.screen.lines.join('\n');
  t.match(
    left,
    /holdfast: the reload of shop goes on\n {2}follow it {6}holdfast reload --follow --name shop\n {2}roll it back {3}holdfast reload --abort --name shop/,
  );
  t.same([reload.screen.unknown, reload.doubled], [[], []]);
  t.match(await holdfast.status(), { rollout: { state: 'running', trial: { slot: 0 } } });

  const follow = new View(t, holdfast.runtimeDir, ['reload', '--follow']);
  await follow.shows(/^shop {2}reload {2}generation 1 to 2/);
  const plain = holdfast.run('reload', '--follow', '--json');
  const aborted = await holdfast.run('reload', '--abort');
  t.equal(aborted.code, 0, aborted.stderr);
  t.equal(await follow.closed, 1);
  t.match(follow.screen.lines.join('\n'), /holdfast: cannot reload shop: /);
  const { code, stdout } = await plain;
  if (code === 1 && stdout === '') t.pass('it was over before it could be followed');
  else t.match(JSON.parse(stdout), { type: 'result', ok: false });
  t.match(await ask(port), { generation: '1' });
  const none = await holdfast.run('reload', '--follow');
  t.match(none, { code: 1, stderr: /^holdfast: cannot follow the rollout of shop: none is under way\n/ });
});

t.test('elsewhere there are plain lines, without an order to any terminal', async (t) => {
  const { holdfast } = await running(t);
  const { code, stdout, stderr } = await holdfast.run('reload');
  t.equal(code, 0);
  t.equal(stdout, 'shop: reloaded\n');
  t.match(stderr, /^ {2}rollout started generation=2 from=1\n/);
  t.equal(stderr.includes('\u001b'), false);
});
