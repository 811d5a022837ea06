import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { createLog, type Log } from '../../src/logs/logger.js';
import { maxBytes } from '../../src/logs/sinks/outlet.js';
import { captureOutput, type WorkerOutput } from '../../src/logs/worker-output.js';
import { defaults, fixture, pipe, plainEnv, take, until } from './support.js';

const who = { slot: 1, worker: 7, generation: 3 };

/** A log of which the test sees the lines by following it. */
function followed(t: Test, logLevel: 'info' | 'error' = 'info') {
  const log = createLog({ ...defaults, logLevel, logFile: `${t.testdir({})}/app.log` });
  const lines: Record<string, unknown>[] = [];
  log.follow((line) => lines.push(JSON.parse(line)));
  return { log, lines };
}

function streams(log: Log) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  return { stdout, stderr, output: captureOutput({ stdout, stderr, ...who, log }) };
}

function start(t: Test, log: Log, program: string, ...args: string[]): { child: ChildProcess; output: WorkerOutput } {
  const child = spawn(process.execPath, [fixture(program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: plainEnv,
  });
  t.teardown(() => child.kill('SIGKILL'));
  return { child, output: captureOutput({ stdout: child.stdout!, stderr: child.stderr!, ...who, log }) };
}

t.test('logs each line with its worker and its stream', async (t) => {
  const { log, lines } = followed(t);
  const { stdout, stderr, output } = streams(log);
  stdout.end('one\ntwo');
  stderr.end('oh\r\n');
  await output.ended;
  t.same(
    lines.filter((line) => line.stream === 'stdout').map((line) => line.msg),
    ['one', 'two'],
  );
  t.match(
    lines.find((line) => line.msg === 'one'),
    { ...who, level: 'info', stream: 'stdout' },
  );
  t.match(
    lines.find((line) => line.msg === 'oh'),
    { ...who, level: 'warn', stream: 'stderr' },
  );
});

t.test('keeps a line as the text that it is', async (t) => {
  const { log, lines } = followed(t);
  const { stdout, stderr, output } = streams(log);
  const texts = [
    '{"level":30,"msg":"no log line of pino" "pid":1}',
    '100%% %s %d %j',
    '',
    '"quoted" \u001b[31mred\u001b[0m',
  ];
  stdout.end(`${texts.join('\n')}\n`);
  stderr.end();
  await output.ended;
  t.same(
    lines.map((line) => line.msg),
    texts,
  );
});

t.test('a log line of pino stays one, with the labels of its worker', async (t) => {
  const { log, lines } = followed(t, 'error');
  const { stdout, stderr, output } = streams(log);
  stdout.end('{"level":20,"time":1764000000000,"pid":9,"hostname":"h","worker":99,"msg":"query","sql":"select 1"}\n');
  stderr.end('oh\n{"level":50,"msg":"bad"}\n    after\n');
  await output.ended;
  t.same(
    lines.find((line) => line.stream === 'stdout'),
    {
      ...{ level: 'debug', time: '2025-11-24T16:00:00.000Z', name: 'app', ...who, stream: 'stdout' },
      ...{ pid: 9, hostname: 'h', sql: 'select 1', app: { worker: 99 }, msg: 'query' },
    },
  );
  t.match(
    lines.filter((line) => line.stream === 'stderr'),
    [
      { level: 'warn', msg: 'oh' },
      { ...who, level: 'error', msg: 'bad' },
      { level: 'warn', msg: '    after' },
    ],
    'in order',
  );
});

t.test('a stack trace is one entry, and its lines are told one by one to who listens', async (t) => {
  const { log, lines } = followed(t);
  const { stdout, stderr, output } = streams(log);
  const heard: string[] = [];
  output.onErrorLine((line) => heard.push(line));
  const trace = ['Error: no', '    at one (file.js:1:2)', '    at two (file.js:3:4) {', "  code: 'NO'", '}'];
  stdout.end();
  stderr.write(`before\n${trace.slice(0, 2).join('\n')}\n`);
  stderr.end(`${trace.slice(2).join('\n')}\nafter\n`);
  await output.ended;
  t.same(
    lines.map((line) => line.msg),
    ['before', trace.join('\n'), 'after'],
  );
  t.same(heard, ['before', ...trace, 'after']);
  t.same(output.tail(), heard);
});

t.test('a line that nothing follows is logged by itself', async (t) => {
  const { log } = followed(t);
  const { stderr, output } = streams(log);
  const logged = new Promise((resolve) => log.follow((line) => resolve(JSON.parse(line).msg)));
  stderr.write('alone\n');
  t.equal(await logged, 'alone');
  output.close();
});

t.test('marks the pieces of a line that is too long', async (t) => {
  const { log, lines } = followed(t);
  const { stdout, stderr, output } = streams(log);
  stdout.end(`${'x'.repeat(40_000)}\nshort\n`);
  stderr.end();
  await output.ended;
  t.same(
    lines.map((line) => line.continued),
    [true, true, undefined, undefined],
  );
  t.equal(
    lines
      .slice(0, 3)
      .map((line) => line.msg)
      .join(''),
    'x'.repeat(40_000),
  );
});

t.test('logs what a worker says at any log level', async (t) => {
  const { log, lines } = followed(t, 'error');
  const { stdout, stderr, output } = streams(log);
  stdout.end('said\n');
  stderr.end('warned\n');
  await output.ended;
  t.same(lines.map((line) => line.msg).sort(), ['said', 'warned']);
});

t.test('keeps the last lines of standard error', async (t) => {
  const { log } = followed(t);
  const { stdout, stderr, output } = streams(log);
  t.same(output.tail(), []);
  stdout.end('not this\n');
  for (let line = 0; line < 100; line += 1) stderr.write(`line ${line}\n`);
  stderr.write(`${'€'.repeat(342)}\n${'x'.repeat(1025)}\n`);
  stderr.end('last');
  await output.ended;
  const tail = output.tail();
  t.equal(tail.length, 32);
  t.same([tail[0], tail.at(-1)], ['line 71', 'last']);
  t.same(tail.slice(29, 31), ['€'.repeat(341), 'x'.repeat(1024)]);
});

t.test('a stream that breaks ends like any other', async (t) => {
  const { log, lines } = followed(t);
  const { stdout, stderr, output } = streams(log);
  stderr.end();
  stdout.write('last words');
  await until(() => stdout.readableLength === 0);
  stdout.destroy(new Error('broken'));
  await output.ended;
  t.same(
    lines.map((line) => line.msg),
    ['last words'],
  );
});

t.test('a worker that floods a log that nobody reads waits, and nothing is lost', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  const [count, lineBytes] = [50_000, 1000];
  const { child, output } = start(t, log, 'flood', String(count), String(lineBytes));
  await until(() => !log.writable() && child.stdout!.isPaused());
  t.ok(log.bufferedBytes() <= maxBytes);
  // A stream stops one read of 64 KiB after its mark at the latest.
  t.ok(child.stdout!.readableLength <= child.stdout!.readableHighWaterMark + 64 * 1024);
  t.equal(child.exitCode, null);

  let mostBytes = 0;
  let next = 0;
  for await (const text of lines()) {
    const line = JSON.parse(text);
    if (line.msg !== String(next).padEnd(lineBytes - 1, '.')) t.equal(line.msg, `line ${next}`);
    mostBytes = Math.max(mostBytes, log.bufferedBytes());
    next += 1;
    if (next === count) break;
  }
  await output.ended;
  await log.flush(60_000);
  t.equal(next, count);
  t.ok(mostBytes <= maxBytes);
});

t.test('what a worker wrote before it exited is logged when the log is read again', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  let filled = 0;
  for (; log.writable(); filled += 1) log.logger.info('x'.repeat(1000));
  const { child, output } = start(t, log, 'flood', '50', '1000');
  await once(child, 'exit');
  const bufferedBytes = log.bufferedBytes();
  // Its streams are resumed when a process exits: what then arrives must wait as well.
  await until(() => child.stdout!.isPaused());
  t.equal(log.bufferedBytes(), bufferedBytes);
  const taken = (await take(lines(), filled + 50))
    .slice(filled)
    .map((text) => Number.parseInt(JSON.parse(text).msg, 10));
  t.same(
    taken,
    Array.from({ length: 50 }, (_, index) => index),
  );
  await output.ended;
});

t.test('close logs what was read already, and no more', async (t) => {
  const { fd } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  while (log.writable()) log.logger.info('x'.repeat(1000));
  const messages: string[] = [];
  log.follow((line) => messages.push(JSON.parse(line).msg));
  const { stdout, stderr, output } = streams(log);
  stdout.write('one\ntwo\n');
  stdout.write('thr');
  await until(() => stdout.isPaused());
  stderr.end();
  t.same(messages, []);
  output.close();
  t.same(messages, ['one', 'two', 'thr']);
  await output.ended;
  t.ok(stdout.destroyed);
  output.close();
  t.equal(messages.length, 3);
});

t.test('close lets go of pipes that a grandchild keeps open', async (t) => {
  const { log, lines } = followed(t);
  const { child, output } = start(t, log, 'grandchild');
  await until(() => lines.length > 0);
  const grandchild = Number(lines[0]!.msg);
  t.teardown(() => process.kill(grandchild, 'SIGKILL'));
  await until(() => child.exitCode !== null);
  const closed = once(child, 'close');
  t.notOk(child.stdout!.destroyed);
  output.close();
  await output.ended;
  await closed;
  t.doesNotThrow(() => process.kill(grandchild, 0));
});
