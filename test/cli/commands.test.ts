import path from 'node:path';
import t from 'tap';
import { describeError } from '../../src/cli/output/report-error.js';
import { deferred, makeFolder, open, statusOf } from '../control/support/fake-target.js';
import { holdfast } from './support/command-line.js';

t.test('no supervisor ends with 3, an error and a hint', async (t) => {
  const runtimeDir = makeFolder(t);
  for (const argv of [['status'], ['reload'], ['restart'], ['stop'], ['scale', '2'], ['logs'], ['ls', '--name', 'x']]) {
    const { code, stdout, stderr } = await holdfast(argv, { runtimeDir });
    t.equal(code, 3, argv.join(' '));
    t.equal(stdout, '');
    t.match(stderr, /^holdfast: cannot find .*\n {2}\S.*\n$/);
  }
});

t.test('wrong use ends with 2 before anybody is asked', async (t) => {
  const { dir, target } = await open(t);
  for (const change of ['abc', '+0x', '-1x', '1.5', '+', '1e2', '']) {
    const { code, stderr } = await holdfast(['scale', change], { runtimeDir: dir });
    t.equal(code, 2, change);
    t.match(stderr, /^holdfast: cannot scale/);
  }
  t.equal((await holdfast(['relaod'], { runtimeDir: dir })).code, 2);
  t.same(target.calls, []);
});

t.test('several supervisors are asked one after the other, each whatever became of the others', async (t) => {
  const { dir, target } = await open(t);
  const { target: api } = await open(t, 'api', dir);
  target.perform = async () => ({ ok: false, message: 'failed', reason: 'it crashed' });
  const both = await holdfast(['reload', 'shop', 'api', 'shop'], { runtimeDir: dir });
  t.equal(both.code, 1);
  t.equal(both.stdout, 'api: reloaded\n');
  t.match(both.stderr, /^holdfast: cannot reload shop: it crashed\n/);
  t.same([target.calls, api.calls], [['reload'], ['reload']]);
  t.equal((await holdfast(['restart', 'all'], { runtimeDir: dir })).code, 1);
  t.same(
    [target.calls, api.calls],
    [
      ['reload', 'restart'],
      ['reload', 'restart'],
    ],
  );
  t.match(await holdfast(['stop', 'api', 'shp'], { runtimeDir: dir }), { code: 3, stderr: /supervisor shp.*\n.*shop/ });
  t.equal(api.calls.length, 2, 'a name that is none is told before anything is done');
});

t.test('reload shows progress on stderr and the result on stdout', async (t) => {
  const { dir, target } = await open(t);
  target.perform = async (progress) => {
    progress({
      type: 'progress',
      message: 'worker ready',
      fields: { slot: 1, reason: 'it said so', afterMs: 55.0356, signal: null },
    });
    return { ok: true, message: 'reloaded', reason: null };
  };
  const { code, stdout, stderr } = await holdfast(['reload'], { runtimeDir: dir });
  t.equal(code, 0);
  t.equal(stdout, 'shop: reloaded\n');
  t.equal(stderr, '  worker ready slot=1 reason=it said so after=55 ms\n');
});

t.test('a reload that was rolled back ends with 1 and the reason', async (t) => {
  const { dir, target } = await open(t);
  target.perform = async () => ({ ok: false, message: 'failed', reason: 'worker 3 crashed\nSyntaxError' });
  const { code, stdout, stderr } = await holdfast(['reload'], { runtimeDir: dir });
  t.equal(code, 1);
  t.equal(stdout, '');
  t.match(stderr, /^holdfast: cannot reload shop: worker 3 crashed\nSyntaxError\n {2}how it stands: /);

  target.perform = async () => ({ ok: false, message: 'failed', reason: 'cannot read holdfast.yaml: ENOENT' });
  t.match((await holdfast(['reload'], { runtimeDir: dir })).stderr, /^holdfast: cannot read holdfast.yaml: ENOENT\n/);
});

t.test('with --json the result is the line of the supervisor, whether it went well or not', async (t) => {
  const { dir, target } = await open(t);
  for (const ok of [true, false]) {
    target.perform = async () => ({ ok, message: 'm', reason: ok ? null : 'why' });
    for (const argv of [['reload'], ['restart'], ['scale', '+1']]) {
      const { code, stdout } = await holdfast([...argv, '--json'], { runtimeDir: dir });
      t.equal(code, ok ? 0 : 1);
      t.same(JSON.parse(stdout), { type: 'result', ok, message: 'm', reason: ok ? null : 'why' });
    }
  }
});

t.test('restart, scale and stop ask for just that', async (t) => {
  const { dir, target, server } = await open(t);
  t.equal((await holdfast(['restart'], { runtimeDir: dir })).code, 0);
  t.equal((await holdfast(['scale', '-1'], { runtimeDir: dir })).code, 0);
  t.equal((await holdfast(['scale', '--', '-1'], { runtimeDir: dir })).code, 0);
  t.equal((await holdfast(['scale', '+2', '--name', 'shop'], { runtimeDir: dir })).code, 0);
  target.perform = async () => {
    setImmediate(() => void server.close());
    return { ok: true, message: 'stopped', reason: null };
  };
  t.match(await holdfast(['stop'], { runtimeDir: dir }), { code: 0, stdout: 'shop: stopped\n' });
  t.same(target.calls, ['restart', 'scale -1', 'scale -1', 'scale +2', 'stop']);
});

t.test('status is an object for one supervisor and an array for several', async (t) => {
  const runtimeDir = makeFolder(t);
  await open(t, 'shop', runtimeDir);
  t.same(JSON.parse((await holdfast(['status', '--json'], { runtimeDir })).stdout), statusOf('shop'));
  t.match((await holdfast(['status'], { runtimeDir })).stdout, /^shop {2}pid \d+ {2}running/);

  await open(t, 'api', runtimeDir);
  const { code, stdout } = await holdfast(['ls', '--json'], { runtimeDir });
  t.equal(code, 0);
  t.same(JSON.parse(stdout), [statusOf('api'), statusOf('shop')]);
  t.match((await holdfast(['ps'], { runtimeDir })).stdout, /^name .*\napi .*\nshop .*\n$/);
  t.match((await holdfast(['status', 'shop', 'api'], { runtimeDir })).stdout, /^shop {2}pid[\s\S]*\napi {2}pid/);
  t.same(JSON.parse((await holdfast(['status', 'shop', 'api', '--json'], { runtimeDir })).stdout), [
    statusOf('shop'),
    statusOf('api'),
  ]);
  t.match((await holdfast(['status', 'all'], { runtimeDir })).stdout, /^api {2}pid[\s\S]*\nshop {2}pid/);
  t.match((await holdfast(['ls', 'shop'], { runtimeDir })).stdout, /^name .*\nshop .*\n$/);
  t.match(await holdfast(['status', 'shop', 'shpo'], { runtimeDir }), { code: 3, stdout: '' });

  const named = await holdfast(['status', '--name', 'api', '--json'], { runtimeDir });
  t.same(JSON.parse(named.stdout), statusOf('api'));
  const unknown = await holdfast(['status', '--name', 'shpo'], { runtimeDir });
  t.equal(unknown.code, 3);
  t.match(unknown.stderr, /did you mean shop\?/);
});

t.test('ls is a line for each supervisor, also for the only one', async (t) => {
  const { dir: runtimeDir } = await open(t);
  const { code, stdout } = await holdfast(['ls'], { runtimeDir });
  t.equal(code, 0);
  const [titles = '', row = ''] = stdout.split('\n');
  t.same(titles.split(/ {2,}/), [
    ...['name', 'state', 'workers', 'mode', 'cpu', 'mem', 'uptime', 'restarts', 'gen'],
    ...['pid', 'listens on', 'release'],
  ]);
  t.match(
    row,
    /^shop {2}running +0\/2 {2}reuseport {2}0\.5% {2}50\.0M +1m 5s +0 +3 +\d+ {2}127\.0\.0\.1:3000 {2}\/srv\/app$/,
  );
  t.same(JSON.parse((await holdfast(['ls', '--json'], { runtimeDir })).stdout), [statusOf('shop')]);
  t.match(await holdfast(['ls'], { runtimeDir: makeFolder(t) }), { code: 3, stderr: /none runs/ });
  t.match(await holdfast(['ls', '--json'], { runtimeDir: makeFolder(t) }), { code: 3, stdout: /^\[\]\n$/ });
});

t.test('scale takes several names, and all', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  const { target: api } = await open(t, 'api', runtimeDir);
  t.equal((await holdfast(['scale', 'shop', 'api', '+1'], { runtimeDir })).code, 0);
  t.equal((await holdfast(['scale', 'all', '4'], { runtimeDir })).code, 0);
  t.equal((await holdfast(['scale', 'api', '-1'], { runtimeDir })).code, 0);
  t.same(
    [target.calls, api.calls],
    [
      ['scale +1', 'scale 4'],
      ['scale +1', 'scale 4', 'scale -1'],
    ],
  );
});

t.test('where several run, all but status need a name', async (t) => {
  const runtimeDir = makeFolder(t);
  const { target } = await open(t, 'shop', runtimeDir);
  await open(t, 'api', runtimeDir);
  const { code, stderr } = await holdfast(['reload'], { runtimeDir });
  t.equal(code, 2);
  t.match(stderr, /--name: api, shop/);
  t.equal((await holdfast(['reload', '--name', 'shop'], { runtimeDir })).code, 0);
  t.same(target.calls, ['reload']);
});

t.test('colours are for terminals, and not for those who do not want them', async (t) => {
  const { dir: runtimeDir } = await open(t);
  const coloured = async (terminal: boolean, env: NodeJS.ProcessEnv) =>
    (await holdfast(['status'], { runtimeDir, terminal, env })).stdout.includes('\u001b');
  t.equal(await coloured(true, {}), true);
  t.equal(await coloured(false, {}), false);
  t.equal(await coloured(true, { NO_COLOR: '1' }), false);
  t.equal(await coloured(true, { NO_COLOR: '' }), true);
  t.equal(await coloured(true, { TERM: 'dumb' }), false);
  t.equal(await coloured(false, { FORCE_COLOR: '1' }), true);
  t.equal(await coloured(true, { FORCE_COLOR: '0' }), false);
  t.equal(await coloured(false, { FORCE_COLOR: '' }), false);
  t.equal(await coloured(true, { FORCE_COLOR: '1', NO_COLOR: '1' }), true);
});

t.test('logs are followed until Ctrl-C, as JSON or for people', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  const line = JSON.stringify({ level: 'info', time: '2026-01-02T03:04:05.000Z', slot: 1, worker: 4, msg: 'hello' });
  for (const [argv, terminal, expected] of [
    [['logs', '-f'], false, /^\{.*\}\n$/],
    [['logs', '-f', '--json'], true, /^\{.*\}\n$/],
    [['logs', '-f'], true, /slot 1 worker 4.* hello/],
  ] as const) {
    const following = deferred();
    target.onFollow = following.resolve;
    const interrupt = new AbortController();
    const outcome = holdfast(argv, {
      runtimeDir,
      terminal,
      env: { NO_COLOR: '1' },
      interrupt,
      onOutput: () => interrupt.abort(),
    });
    await following.promise;
    target.log(line);
    const { code, stdout, stderr } = await outcome;
    t.equal(code, 0);
    t.match(stdout, expected);
    t.equal(stderr, '');
  }
});

t.test('logs end with the supervisor', async (t) => {
  const { dir: runtimeDir, target, server } = await open(t);
  target.onFollow = () => void server.close();
  t.match(await holdfast(['logs', '-f'], { runtimeDir }), {
    code: 0,
    stdout: '',
    stderr: /shop: the supervisor has ended/,
  });
});

t.test('check shows what a configuration comes to, without the values of variables', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    'holdfast.json': '{"script":"app.js","env":{"SECRET":"hush"}}',
    'hooks.json': '{"script":"app.js","hooks":{"reloaded":"say hello"}}',
  });
  const file = path.join(cwd, 'holdfast.json');
  const { stdout } = await holdfast(['check', 'hooks.json'], { cwd });
  t.match(stdout, /^hooks +\{"reloaded":"say hello"\} +\S+hooks\.json: hooks$/m);
  const people = await holdfast(['check', file], { cwd });
  t.equal(people.code, 0, people.stderr);
  t.match(people.stdout, /^env +SECRET$/m);
  t.match(people.stdout, /^drainTimeout +75s +default$/m, 'as one would write it');
  const programs = await holdfast(['check', file, '--json'], { cwd });
  t.match(JSON.parse(programs.stdout), { config: { env: ['SECRET'] } });
  t.notMatch(people.stdout + programs.stdout, /hush/);
});

t.test('check and start refuse what they cannot read with 2', async (t) => {
  const cwd = t.testdir({});
  for (const argv of [['check', 'none.yaml'], ['start', 'none.js'], ['start']]) {
    const { code, stdout, stderr } = await holdfast(argv, { cwd, runtimeDir: makeFolder(t) });
    t.equal(code, 2, argv.join(' '));
    t.equal(stdout, '');
    t.match(stderr, /^holdfast: cannot /);
    t.notMatch(stderr, /^\s+at /m);
  }
});

t.test('what nobody expected is called a bug and shows where it was', async (t) => {
  const { text, exitCode } = describeError(new TypeError('it is not a function'));
  t.equal(exitCode, 1);
  t.match(text, /^holdfast: .*\n {2}this is a bug in holdfast.*\n.*\n\s+at /);
});

t.test('what the system does not give is told with what to do about it', async (t) => {
  const system = (code: string, syscall: string, path?: string) =>
    describeError(Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, errno: -1, path })).text;
  t.equal(
    system('EROFS', 'mkdir', '/run/x'),
    'holdfast: cannot mkdir /run/x: EROFS\n  the file system is read-only: remount it, or choose another folder\n',
  );
  t.match(
    system('EMFILE', 'spawn /usr/bin/node', '/usr/bin/node'),
    /^holdfast: cannot spawn \/usr\/bin\/node: EMFILE\n {2}.*ulimit/,
  );
  for (const code of ['ENOSPC', 'EACCES', 'ENFILE', 'EDQUOT', 'EAGAIN', 'ENOMEM'])
    t.notMatch(system(code, 'open'), /bug/);
  t.match(system('EFAULT', 'open'), /bug/, 'what only a bug can cause is called one');
});

t.test('help goes to stdout with examples and exit codes', async (t) => {
  const general = await holdfast(['--help']);
  t.equal(general.code, 0);
  for (const part of [
    /holdfast start/,
    /holdfast scale \[names, all\] <change>/,
    /ls, list, ps/,
    /3 {2}no such supervisor/,
  ]) {
    t.match(general.stdout, part);
  }
  const command = await holdfast(['scale', '--help']);
  t.match(command.stdout, /holdfast scale \+2/);
  t.match(command.stdout, /--name/);
  t.match(command.stdout, /Exit codes/);
  const start = await holdfast(['help', 'start']);
  for (const part of [/-i, --instances/, /--listen-mode/, /-- --port 3000|application args/])
    t.match(start.stdout, part);
  t.match((await holdfast(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});
