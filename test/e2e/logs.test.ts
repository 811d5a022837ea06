/** What workers write, and what becomes of it: in files, on terminals, and by `holdfast logs`. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, bin, Holdfast, type LogLine, makeRuntimeDir, plainly, root, run } from './support/holdfast.js';
import { endWith } from './support/processes.js';

t.jobs = 2;

const APP = path.join(apps, 'chatty.cjs');
const PTY = path.join(root, 'test/fixtures/terminal.py');
const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a colour begins with
const COLOUR_OR_LINE = /\u001b\[[\d;]*m|\r\n/g;

function isOrder(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x202e;
}

/** A supervisor that logs to a file. */
async function toFile(t: Test, ...args: string[]) {
  const runtimeDir = makeRuntimeDir(t);
  const port = await freePort();
  const file = path.join(t.testdir({}), 'shop.log');
  const words = [bin, 'start', APP, '-i', '2', '--trial', '0', '--log-file', file, ...args];
  const [command, rest] = plainly(words, { HOLDFAST_RUNTIME_DIR: runtimeDir, PORT: String(port) });
  const child = spawn(command, rest, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  endWith(t, child.pid ?? 0);
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const has = async (text: string) => {
    while (!existsSync(file) || !readFileSync(file, 'utf8').includes(text)) await delay(10);
  };
  await has('"started"');
  const logs = async (...flags: string[]) => {
    const { code, stdout, stderr } = await run(['logs', ...flags], { runtimeDir });
    t.same([code, stderr], [0, '']);
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LogLine]));
  };
  return { child, ended, file, folder: path.dirname(file), port, runtimeDir, logs };
}

const numberOf = ({ msg }: LogLine) => Number(/^line (\d+) /.exec(msg)?.[1] ?? Number.NaN);

t.test(
  'nothing is lost or double in a flood, with rotations, SIGUSR1 and somebody who moves the file',
  { buffered: true },
  async (t) => {
    const { child, ended, file, folder, port } = await toFile(t, '--log-max-size', '100K', '--log-keep', '10000');
    const count = 20_000;
    const part = 1_000;
    for (let from = 0; from < count; from += part) {
      const asked = ask(port, `/flood?from=${from}&to=${from + part}`);
      if (from % 3_000 === 0 && existsSync(file)) {
        renameSync(file, path.join(folder, `moved-${from}.log`));
        child.kill('SIGUSR1');
      } else if (from % 2_000 === 0) child.kill('SIGUSR1');
      await asked;
    }
    child.kill('SIGTERM');
    t.same(await ended, [0, null]);
    const names = readdirSync(folder);
    t.ok(names.length > 20, `${names.length} files`);
    const texts = names
      // What was being compressed when the supervisor ended is there whole, as well.
      .filter((name) => !name.endsWith('.part') && !names.includes(`${name}.gz`))
      .map((name) => readFileSync(path.join(folder, name)))
      .map((bytes) => (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString());
    const lines = texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line) as LogLine);
    const numbers = lines.map(numberOf).filter((n) => !Number.isNaN(n));
    t.equal(numbers.length, count);
    t.equal(new Set(numbers).size, count);
    t.same(
      lines.filter(({ msg }) => /cannot|dropped/.test(msg)),
      [],
    );
    t.ok(
      texts.every((text) => text.endsWith('\n') || text === ''),
      'every file ends with a whole line',
    );
  },
);

t.test('logs shows the last lines by worker, slot, level, time and expression', { buffered: true }, async (t) => {
  const { port, logs, runtimeDir } = await toFile(t, '--log-max-size', '20K', '--log-keep', '1000', '--name', 'shop');
  await ask(port, '/trace?text=broken');
  await ask(port, '/pino?level=50&text=from%20pino');
  await ask(port, '/pino?level=20&text=a%20detail');
  await ask(port, '/say?text=%7B%22level%22%3A%20oh');
  const [trace] = await untilFound(() => logs('--grep', 'TypeError: broken'));
  t.match(trace, { level: 'warn', stream: 'stderr', msg: /^TypeError: broken\n {4}at (.*\n {4}at )+/ });
  const [error, ...others] = await untilFound(() => logs('--level', 'error'));
  t.match(error, { level: 'error', stream: 'stdout', reqId: 'r-1', msg: 'from pino', name: 'shop', generation: 1 });
  t.type(error?.worker, 'number');
  t.same(others, []);
  t.match(await untilFound(() => logs('--grep', '^a detail$')), [{ level: 'debug' }]);
  t.match(await untilFound(() => logs('--grep', '"level": oh')), [], 'quotes are escaped in JSON');
  t.match(await untilFound(() => logs('--grep', '^{"level": oh$')), [{ level: 'info', msg: '{"level": oh' }]);
  const of = (lines: LogLine[], name: string) => [...new Set(lines.map((line) => line[name]))];
  t.same(of(await logs('--slot', '1', '--lines', '1000'), 'slot'), [1]);
  t.same(of(await logs('--worker', '1', '--lines', '1000'), 'worker'), [1]);
  t.same(await logs('--since', '2999-01-01'), []);
  t.equal((await logs('--lines', '3')).length, 3);

  // More than the supervisor remembers is in its files.
  await ask(port, '/flood?from=0&to=6000');
  await untilFound(() => logs('--lines', '1', '--grep', 'line 5999 '));
  const numbers = (await logs('--lines', '5000', '--grep', '^line ')).map(numberOf);
  t.equal(numbers.length, 5_000);
  t.equal(new Set(numbers).size, 5_000);
  t.match(await run(['logs', '--grep', '('], { runtimeDir }), { code: 2, stderr: /cannot search for "\(": / });
});

/** What a worker has written comes when the supervisor has read it. */
async function untilFound(ask: () => Promise<LogLine[]>): Promise<LogLine[]> {
  for (;;) {
    const found = await ask();
    if (found.length > 0) return found;
  }
}

t.test('a log file that cannot be opened is an error at the start', { buffered: true }, async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const file = path.join(t.testdir({ file: '' }), 'file/shop.log');
  const { code, stderr } = await run(['start', APP, '--log-file', file], { runtimeDir });
  t.equal(code, 1);
  t.match(stderr, /^holdfast: cannot open log file .*file\/shop\.log: ENOTDIR\n {2}check that it can be made there/);
});

t.test(
  'one that cannot be written while it runs costs nothing: the lines are on standard error',
  { buffered: true },
  async (t) => {
    const port = await freePort();
    const holdfast = new Holdfast(t, APP, { args: ['--log-file', '/dev/full'], env: { PORT: String(port) } });
    while (!holdfast.stderr.includes('"started"')) await once(holdfast.child.stderr!, 'data');
    t.match(holdfast.stderr, /"msg":"cannot write log file"/);
    t.same(await ask(port, '/say?text=hello'), {});
    while (!holdfast.stderr.includes('"msg":"hello"')) await once(holdfast.child.stderr!, 'data');
    t.match(await holdfast.run('logs', '--grep', '^hello$'), { code: 0, stdout: /"msg":"hello"/ });
  },
);

t.test(
  'what a terminal would obey never reaches one, whichever way it is looked at',
  { buffered: true, skip: hasPython ? false : 'needs python3, for a pseudo-terminal' },
  async (t) => {
    const runtimeDir = makeRuntimeDir(t);
    const port = await freePort();
    const env = { HOLDFAST_RUNTIME_DIR: runtimeDir, PORT: String(port) };
    const terminal = (words: readonly string[]) => {
      const child = spawn('python3', [PTY, ...plainly([bin, ...words], env).flat()], {
        cwd: root,
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const shown = { text: '' };
      child.stdout.setEncoding('utf8').on('data', (piece: string) => {
        shown.text += piece;
      });
      t.teardown(() => child.stdin.end());
      endWith(t, child.pid ?? 0);
      const closed = once(child, 'close');
      const shows = async (pattern: RegExp) => {
        while (!pattern.test(shown.text)) await once(child.stdout, 'data');
      };
      return { child, shown, shows, closed };
    };
    const foreground = terminal(['start', APP, '--name', 'shop']);
    await foreground.shows(/runs with 1 worker/);
    const evil = encodeURIComponent('evil \u001b]0;title\u0007 \u001b[2J \u001b[1;1H \u009b2J \u202egnp. \b\b end');
    await ask(port, `/say?text=${evil}`);
    await ask(port, `/pino?level=30&text=${evil}`);
    await ask(port, `/trace?text=${evil}`);
    await foreground.shows(/(?:evil.*?end.*?){3}/s);
    const views = [terminal(['logs', '--grep', 'evil']), terminal(['logs', '--json', '--grep', 'evil'])];
    for (const view of views) await view.closed;
    for (const [index, { shown }] of [foreground, ...views].entries()) {
      // Colours and line ends are what a terminal may be told.
      const told = shown.text.replaceAll(COLOUR_OR_LINE, '');
      t.match(told, /evil/, `view ${index}`);
      t.same([...told].filter(isOrder), [], `view ${index}`);
    }
    foreground.child.stdin.write('\x03');
    t.same(await foreground.closed, [0, null]);
  },
);
