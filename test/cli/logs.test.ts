import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { grep } from '../../src/cli/logs/grep.js';
import { readLogFlags } from '../../src/cli/logs/log-flags.js';
import { deferred, open } from '../control/support/fake-target.js';
import { holdfast } from './support/command-line.js';

const line = (n: number, more: object = {}) =>
  JSON.stringify({
    level: 'info',
    time: new Date(n * 1_000).toISOString(),
    slot: n % 2,
    worker: n,
    msg: `line ${n}`,
    ...more,
  });
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => line(from + n));
const numbersIn = (stdout: string) =>
  stdout.split('\n').flatMap((text) => (text === '' ? [] : [Number(/\d+$/.exec(JSON.parse(text).msg)?.[0])]));

t.test('the last lines are shown, and that is all', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.recent = lines(0, 100);
  const shown = async (...argv: string[]) => numbersIn((await holdfast(['logs', ...argv], { runtimeDir })).stdout);
  t.same(
    await shown(),
    Array.from({ length: 20 }, (_, n) => 80 + n),
  );
  t.same(await shown('--lines', '2'), [98, 99]);
  t.same(await shown('--lines', '0'), []);
  t.same(await shown('--lines', '2', '--slot', '0'), [96, 98]);
  t.same(await shown('--worker', '7'), [7]);
  t.same(await shown('--since', new Date(97_000).toISOString()), [97, 98, 99]);
  t.same(await shown('--lines', '3', '--grep', '^line \\d?[37]$'), [87, 93, 97], 'the last ones that match');
  t.same(await shown('--grep', '"worker":42,'), [42], 'in the line as it is written, too');
  t.equal((await shown('--grep', 'line', '--since', new Date(0).toISOString())).length, 100);
  target.recent = [line(1), line(2, { level: 'error' }), line(3, { level: 45 }), line(4, { level: 'warn' })];
  t.same(await shown('--level', 'error'), [2]);
  t.same(await shown('--level', 'warn'), [2, 3, 4]);
});

t.test('with -f what comes goes on from there, by the same filters', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.recent = lines(0, 10);
  const following = deferred();
  target.onFollow = following.resolve;
  const interrupt = new AbortController();
  let text = '';
  const outcome = holdfast(['logs', '-f', '--lines', '2', '--slot', '1', '--grep', 'line'], {
    runtimeDir,
    interrupt,
    onOutput: (piece) => {
      text += piece;
      if (text.includes('line 13')) interrupt.abort();
    },
  });
  await following.promise;
  for (const one of [...lines(10, 13), line(15, { msg: 'another' }), line(13)]) target.log(one);
  t.match(await outcome, { code: 0, stderr: '' });
  t.same(numbersIn(text), [7, 9, 11, 13]);
});

t.test(
  'those of several come one after the other, then as they come; one that cannot be asked costs nothing but its own',
  async (t) => {
    const { dir: runtimeDir, target: api } = await open(t, 'api');
    const { target: worker, server } = await open(t, 'worker', runtimeDir);
    api.recent = lines(0, 10);
    worker.recent = lines(20, 30);
    const shown = async (...argv: string[]) => numbersIn((await holdfast(['logs', ...argv], { runtimeDir })).stdout);
    t.same(await shown('worker', 'api', '--lines', '2'), [28, 29, 8, 9]);
    t.same(await shown('all', '--lines', '1'), [9, 29]);
    t.same(await shown('api', '--lines', '1'), [9]);
    t.match(await holdfast(['logs', 'api', 'webb'], { runtimeDir }), { code: 3, stdout: '', stderr: /webb/ });
    const onTerminal = await holdfast(['logs', 'all', '--lines', '1'], {
      runtimeDir,
      terminal: true,
      env: { NO_COLOR: '1' },
    });
    t.match(onTerminal.stdout, /^api {4}\| .*line 9\nworker \| .*line 29\n$/);

    const following = [deferred(), deferred()];
    api.onFollow = following[0]?.resolve ?? (() => {});
    worker.onFollow = following[1]?.resolve ?? (() => {});
    const interrupt = new AbortController();
    let text = '';
    let heard = () => {};
    const outcome = holdfast(['logs', 'all', '-f', '--lines', '1'], {
      runtimeDir,
      interrupt,
      onOutput: (piece) => {
        text += piece;
        heard();
      },
    });
    await Promise.all(following.map(({ promise }) => promise));
    const said = (what: string) =>
      new Promise<void>((resolve) => {
        heard = () => text.includes(what) && resolve();
        heard();
      });
    worker.log(line(30));
    await said('line 30');
    await server.close();
    api.log(line(10));
    await said('line 10');
    interrupt.abort();
    t.match(await outcome, { code: 0, stderr: 'worker: the supervisor has ended\n' });
    t.same(numbersIn(text), [9, 29, 30, 10]);
  },
);

t.test('what the supervisor no longer remembers is read from its log files', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  const folder = t.testdir({});
  const file = path.join(folder, 'app.log');
  const put = (name: string, some: string[]) => writeFileSync(path.join(folder, name), `${some.join('\n')}\n`);
  writeFileSync(path.join(folder, 'app.log.2026-01-01T00-00-00.000Z.gz'), gzipSync(`${lines(0, 100).join('\n')}\n`));
  put('app.log.2026-01-02T00-00-00.000Z', lines(100, 200));
  put('app.log', lines(200, 300));
  target.logFile = file;
  target.recent = lines(280, 310);
  const shown = async (...argv: string[]) => numbersIn((await holdfast(['logs', ...argv], { runtimeDir })).stdout);
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
  t.same(await shown('--lines', '10'), range(300, 310));
  t.same(await shown('--lines', '50'), range(260, 310), 'the file is behind, and none is double');
  t.same(await shown('--lines', '1000'), range(0, 310), 'out of all files');
  t.same(
    await shown('--lines', '1000', '--slot', '0', '--grep', '^line \\d*5'),
    range(0, 310).filter((n) => n % 2 === 0 && /5/.test(`${n}`)),
  );
  t.same(await shown('--since', new Date(150_000).toISOString()), range(150, 310));
  target.recent = lines(280, 290);
  t.same(await shown('--lines', '20'), range(270, 290), 'the file is ahead, and its newer lines are not for now');
  target.recent = [];
  appendFileSync(file, `${line(4_000_000_000, { msg: 'after 1' })}\n`);
  t.same(await shown('--lines', '2'), [298, 299], 'what is newer than the question is not older');
  const both = range(0, 10).flatMap((n) => [line(n, { name: 'shop' }), line(n, { name: 'another', msg: 'of 77' })]);
  put('both.log', both);
  target.logFile = path.join(folder, 'both.log');
  target.recent = [line(8, { name: 'shop' }), line(9, { name: 'shop' })];
  t.same(await shown('--lines', '20'), range(0, 10), 'of a file that another application has as well only its own');
  target.logFile = path.join(folder, 'gone.log');
  target.recent = lines(0, 1);
  const { code, stdout, stderr } = await holdfast(['logs'], { runtimeDir });
  t.same([code, numbersIn(stdout)], [0, [0]]);
  t.match(stderr, /^holdfast: cannot read older lines: ENOENT/);
});

t.test('flags that make no sense are refused before anybody is asked', async (t) => {
  for (const [argv, reason] of [
    [['--lines', 'x'], /cannot use --lines "x"/],
    [['--lines', '1000000'], /number from 0 to 100000/],
    [['--slot', '-1'], /cannot use --slot "-1"/],
    [['--worker', '1.5'], /cannot use --worker/],
    [['--level', 'loud'], /no such level\n {2}one of trace, debug/],
    [['--since', 'yesterday'], /neither a duration nor a time\n {2}write 30s/],
    [['--since', '2026-13-45'], /neither a duration nor a time/],
    [['--grep', '('], /cannot search for "\(": Invalid regular expression/],
  ] as const) {
    const { code, stderr } = await holdfast(['logs', ...argv]);
    t.equal(code, 2, argv.join(' '));
    t.match(stderr, reason);
  }
});

t.test('durations count from now, and a time is itself', async (t) => {
  const sinceOf = (since: string) =>
    readLogFlags({ operand: undefined, applicationArgs: [], flags: { since } }, 1_000_000).sinceMs;
  t.equal(sinceOf('10m'), 400_000);
  t.equal(sinceOf('24h'), 0);
  t.equal(sinceOf('1970-01-02T00:00Z'), 86_400_000);
});

t.test('an expression that never comes to an end is given up', async (t) => {
  t.throws(() => grep('^(a+)+$', 50)([JSON.stringify({ msg: `${'a'.repeat(60)}!` })]), {
    code: 'USAGE',
    message: /takes too long/,
  });
  const { dir: runtimeDir, target } = await open(t);
  target.recent = [line(0, { msg: `${'a'.repeat(60)}!` })];
  t.match(await holdfast(['logs', '--grep', '^(a+)+$'], { runtimeDir }), { code: 2, stderr: /takes too long/ });
});

t.test('what a terminal would obey is shown, in every form', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  const evil = 'x\u001b]0;title\u0007\u001b[2J\u009b1m\u202etxt';
  target.recent = [line(0, { msg: evil, [`f${evil}`]: evil, err: { type: 'E', message: evil, stack: evil } })];
  for (const argv of [['logs'], ['logs', '--json']]) {
    const { stdout } = await holdfast(argv, { runtimeDir, terminal: true, env: { NO_COLOR: '1' } });
    t.match(stdout, /title/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
    t.notMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, argv.join(' '));
  }
});
