import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import t from 'tap';
import { createLog } from '../../src/logs/logger.js';
import { maxBytes } from '../../src/logs/sinks/outlet.js';
import { defaults, fixture, pipe, plainEnv, take } from './support.js';

t.test('a line is JSON with the time for people, the level by name, and the name', async (t) => {
  const { fd, lines } = pipe(t);
  createLog(defaults, { stdout: { fd, isTTY: false } }).logger.warn({ slot: 1 }, 'worker exited');
  const line = JSON.parse((await take(lines(), 1))[0]!);
  t.match(line, { level: 'warn', time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, name: 'app' });
  t.match(line, { slot: 1, msg: 'worker exited' });
  t.notHas(line, { hostname: String });
  t.notHas(line, { pid: Number }, "a pid in a line is a worker's");
});

t.test('lines below the level are not logged', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog({ ...defaults, logLevel: 'warn' }, { stdout: { fd, isTTY: false } });
  log.logger.info('quiet');
  log.logger.warn('loud');
  t.equal(JSON.parse((await take(lines(), 1))[0]!).msg, 'loud');
});

t.test('environments do not get out', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  const env = { TOKEN: 'secret' };
  log.logger.info({ env, config: { env } }, 'started');
  log.logger.child({ env }).info({ err: Object.assign(new Error('failed'), { env }) }, 'failed');
  for (const line of await take(lines(), 2)) t.notMatch(line, /secret/);
});

t.test('is pretty on a terminal, with colours', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog({ ...defaults, logFormat: 'auto' }, { stdout: { fd, isTTY: true } });
  log.logger.info({ slot: 1, worker: 7, code: 3 }, 'worker exited');
  const line = (await take(lines(), 1))[0]!;
  t.match(line, '\u001b[');
  t.match(line, '[slot 1 worker 7] worker exited');
  t.match(line, '"code":3');
});

t.test('is pretty without colours where that is asked for and there is no terminal', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog({ ...defaults, logFormat: 'pretty' }, { stdout: { fd, isTTY: false } });
  log.logger.info({ slot: 1 }, 'slot added');
  log.logger.info('listening');
  const [added, listening] = await take(lines(), 2);
  t.match(added, /INFO.*\[slot 1\] slot added$/);
  t.match(listening, /INFO.*listening$/);
  t.notMatch(added, '\u001b[');
});

t.test('is JSON elsewhere, and on a terminal when asked', async (t) => {
  for (const [logFormat, isTTY] of [
    ['auto', false],
    ['json', true],
  ] as const) {
    const { fd, lines } = pipe(t);
    createLog({ ...defaults, logFormat }, { stdout: { fd, isTTY } }).logger.info('here');
    t.match(JSON.parse((await take(lines(), 1))[0]!), { msg: 'here' });
  }
});

t.test('followers get each line as JSON, also beside a pretty log, until they stop', async (t) => {
  const { fd } = pipe(t);
  const log = createLog({ ...defaults, logFormat: 'pretty' }, { stdout: { fd, isTTY: true } });
  const first: string[] = [];
  const second: string[] = [];
  const collect = (line: string) => first.push(line);
  const stops = [log.follow(collect), log.follow(collect)];
  log.follow((line) => second.push(line));
  log.logger.info('one');
  stops[0]!();
  log.logger.info('two');
  stops[1]!();
  log.logger.info('three');
  const messages = (lines: string[]) => lines.map((line) => JSON.parse(line).msg);
  t.same(messages(first), ['one', 'one', 'two']);
  t.same(messages(second), ['one', 'two', 'three']);
  t.notOk(first.some((line) => line.includes('\n')));
});

t.test('what a reader who stalls makes it drop is counted, and told when he reads again', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog({ ...defaults, logLevel: 'error' }, { stdout: { fd, isTTY: false } });
  const total = 20_000;
  for (let line = 0; line < total; line += 1) log.logger.error({ line }, 'x'.repeat(200));
  t.notOk(log.writable());
  t.ok(log.bufferedBytes() <= maxBytes);
  let kept = 0;
  for await (const text of lines()) {
    const line = JSON.parse(text);
    if (line.dropped !== undefined) {
      t.equal(line.dropped + kept, total);
      break;
    }
    t.equal(line.line, kept);
    kept += 1;
  }
  t.ok(kept > 1000);
  t.ok(log.writable());
});

t.test('flush ends when all is written', async (t) => {
  const path = `${t.testdir({})}/app.log`;
  const log = createLog({ ...defaults, logFile: path });
  for (let line = 0; line < 100; line += 1) log.logger.info({ line }, 'here');
  await log.flush(60_000);
  t.equal(log.bufferedBytes(), 0);
  t.equal(readFileSync(path, 'utf8').split('\n').length, 101);
});

t.test('a log file holds JSON, whatever standard output is', async (t) => {
  const path = `${t.testdir({})}/app.log`;
  const { fd } = pipe(t);
  const log = createLog({ ...defaults, logFormat: 'auto', logFile: path }, { stdout: { fd, isTTY: true } });
  log.logger.info('here');
  await log.flush(60_000);
  t.equal(JSON.parse(readFileSync(path, 'utf8')).msg, 'here');
});

t.test('reopens its file after a rotation, and loses no line', async (t) => {
  const path = `${t.testdir({})}/app.log`;
  const log = createLog({ ...defaults, logFile: path });
  log.logger.info('one');
  log.logger.info('two');
  renameSync(path, `${path}.1`);
  log.reopen();
  log.logger.info('three');
  await log.flush(60_000);
  const messages = (file: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).msg);
  t.same([...messages(`${path}.1`), ...messages(path)], ['one', 'two', 'three']);
  t.equal(messages(path).at(-1), 'three');
});

t.test('stays with the old file when it cannot open the new one', async (t) => {
  const folder = t.testdir({ logs: {}, kept: {} });
  const log = createLog({ ...defaults, logFile: `${folder}/logs/app.log` });
  renameSync(`${folder}/logs/app.log`, `${folder}/kept/app.log`);
  rmSync(`${folder}/logs`, { recursive: true });
  log.reopen();
  log.logger.info('still here');
  await log.flush(60_000);
  const lines = readFileSync(`${folder}/kept/app.log`, 'utf8').trimEnd().split('\n');
  t.match(JSON.parse(lines[0]!), { level: 'error', err: { code: 'ENOENT' } });
  t.equal(JSON.parse(lines[1]!).msg, 'still here');
});

t.test('refuses a log file that it cannot open', async (t) => {
  const folder = t.testdir({ file: '' });
  const path = `${folder}/file/app.log`;
  t.throws(() => createLog({ ...defaults, logFile: path }), {
    code: 'LOG_FILE',
    message: `cannot open log file ${path}: ENOTDIR`,
    hint: String,
  });
});

t.test('makes the folder of its log file', async (t) => {
  const file = `${t.testdir({})}/logs/api/app.log`;
  const log = createLog({ ...defaults, logFile: file });
  log.logger.info('here');
  await log.flush(60_000);
  t.match(JSON.parse(readFileSync(file, 'utf8')), { msg: 'here' });
});

t.test('reopening standard output changes nothing', async (t) => {
  const { fd, lines } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  log.reopen();
  log.logger.info('here');
  t.equal(JSON.parse((await take(lines(), 1))[0]!).msg, 'here');
});

t.test('the process survives a reader that goes away, and is not held back', async (t) => {
  const child = spawn(process.execPath, [fixture('reader-gone')], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: plainEnv,
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const exited = once(child, 'exit');
  child.stdout!.destroy();
  await once(child.stdout!, 'close');
  child.send('gone');
  const [report] = await once(child, 'message');
  t.same(report, { followed: 10_001, writable: true, bufferedBytes: 0 });
  t.same(await exited, [0, null]);
});

t.test('the process exits although its reader has stalled', async (t) => {
  const child = spawn(process.execPath, [fixture('reader-stalled')], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: plainEnv,
  });
  t.teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const [report] = await once(child, 'message');
  t.notOk(report.writable);
  t.ok(report.bufferedBytes <= maxBytes);
  t.same(await exited, [7, null]);
});
