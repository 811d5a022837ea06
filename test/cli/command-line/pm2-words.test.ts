import t, { type Test } from 'tap';
import { parseCommandLine } from '../../../src/cli/command-line/parse.js';
import { OPTIONS } from '../../../src/config/options.js';
import { HoldfastError } from '../../../src/errors.js';
import { holdfast } from '../support/command-line.js';

const read = async (line: string) => {
  const parsed = await parseCommandLine(line.split(' '));
  if (parsed.wants !== 'run') throw new Error(`${line} asks for ${parsed.wants}`);
  return parsed.invocation;
};

async function refused(t: Test, line: string, message: RegExp, hint: RegExp): Promise<void> {
  const error = await read(line).catch((error: unknown) => error);
  if (!(error instanceof HoldfastError)) return void t.fail(`${line} is taken`);
  t.match(error, { code: 'USAGE', exitCode: 2, message, hint }, line);
}

t.test('options of pm2 start become those of holdfast, with the same meaning', async (t) => {
  const rows: [line: string, flags: Record<string, unknown>][] = [
    ['-i max', { instances: 'max' }],
    ['-n shop', { name: 'shop' }],
    ['--name shop', { name: 'shop' }],
    ['--max-memory-restart 300M', { 'max-memory': '300M' }],
    ['--max-memory-restart 314572800', { 'max-memory': '300M' }],
    ['--wait-ready', { ready: 'message' }],
    ['--wait-ready --listen-timeout 3000', { ready: 'message', 'ready-timeout': '3000ms' }],
    ['--listen-timeout=3000', { 'ready-timeout': '3000ms' }],
    ['--kill-timeout 1600', { 'kill-timeout': '1600ms' }],
    ['--kill-timeout 5s', { 'kill-timeout': '5s' }],
    ['--min-uptime 1000', { 'min-uptime': '1000ms' }],
    ['--exp-backoff-restart-delay 100', { 'backoff-base': '100ms' }],
    ['--restart-delay=3000', { 'backoff-base': '3000ms' }],
    ['--no-treekill', { 'keep-children': true }],
    ['--log app.log', { 'log-file': 'app.log' }],
    ['--no-daemon', {}],
    ['--watch', { watch: true }],
    ['--max-restarts 5', { 'max-restarts': '5' }],
  ];
  const known = new Set(OPTIONS.map(({ flag }) => flag));
  for (const [line, flags] of rows) {
    t.same((await read(`start app.js ${line}`)).flags, flags, line);
    for (const flag of Object.keys(flags)) t.ok(known.has(flag), `${flag} is an option`);
  }
  t.same((await parseCommandLine(['start', 'app.js', '--cron-restart', '0 4 * * *'])) as object, {
    ...(await parseCommandLine(['start', 'app.js', '--reload-cron=0 4 * * *'])),
  });
  t.match(await read('unit app.js --listen-timeout 3000 --output units'), {
    flags: { 'ready-timeout': '3000ms', output: 'units' },
  });
});

t.test('--no-autorestart is what autorestart: false is in the file', async (t) => {
  const all = Array.from({ length: 256 }, (_, code) => code).join(' ');
  const flagsOf = async (line: string) => (await read(`start job.js ${line}`)).flags;
  const atOnce = { ready: 'running', 'min-uptime': '1ms' };
  t.same(await flagsOf('--no-autorestart'), { 'stop-exit-codes': [all], ...atOnce });
  t.same(await flagsOf('--no-autorestart -n job'), { 'stop-exit-codes': [all], name: 'job', ...atOnce });
  t.same(await flagsOf('--no-autorestart --wait-ready'), { 'stop-exit-codes': [all], ready: 'message' });
  t.same(await flagsOf('-i 2 --no-autorestart'), { 'stop-exit-codes': [all], instances: '2' });
});

t.test("what is behind -- is the application's, in whatever words", async (t) => {
  t.match(await read('start app.js -- --wait-ready --no-autorestart'), {
    flags: {},
    applicationArgs: ['--wait-ready', '--no-autorestart'],
  });
});

t.test('an option that has no counterpart says what stands for it', async (t) => {
  await refused(t, 'start app.js --output out.log', /^cannot use --output: /, /--log-file/);
  await refused(t, 'start app.js --error err.log', /^cannot use --error: /, /--log-file/);
  await refused(t, 'start app.js --listen-timeout', /^cannot use --ready-timeout: its value is missing/, /./);
});

t.test('the values are checked as those of holdfast are', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const { code, stderr } = await holdfast(['start', 'app.js', '--listen-timeout', 'soon'], { cwd });
  t.equal(code, 2);
  t.match(stderr, /--ready-timeout/);
});

t.test('commands of pm2 that there are not say what stands for them', async (t) => {
  for (const word of ['startup', 'save', 'dump', 'resurrect']) {
    await refused(t, word, new RegExp(`^cannot run ${word}: `), /^sudo holdfast unit .* --install$/);
  }
  await refused(t, 'unstartup', /^cannot run unstartup: /, /--uninstall/);
  await refused(t, 'kill', /^cannot run kill: /, /holdfast stop all/);
  await refused(t, 'flush', /^cannot run flush: /, /truncate/);
  await refused(t, 'reloadLogs', /^cannot run reloadLogs: /, /USR1/);
  await refused(t, 'jlist', /^cannot run jlist: /, /holdfast ls --json/);
  await refused(t, 'update', /^cannot run update: /, /stop/);
  for (const word of ['stop', 'delete', 'describe', 'logs', 'scale'].map((word) => `${word} config/pm2.json`)) {
    await refused(t, word, /^cannot (?:stop|describe|logs|scale) config\/pm2\.json: /, /holdfast ls/);
  }
  t.match(await parseCommandLine(['logs', '--grep', 'x.json']), { invocation: { flags: { grep: 'x.json' } } });
  await refused(t, 'startpu', /^cannot run startpu: no such command/, /start/);
});

t.test('delete is stop', async (t) => {
  t.match(await parseCommandLine(['delete', 'shop']), {
    spec: { name: 'stop' },
    invocation: { flags: { name: 'shop' } },
  });
});
