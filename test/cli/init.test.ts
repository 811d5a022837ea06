import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadApplications } from '../../src/config/load.js';
import { sourceIn } from '../config/support.js';
import { holdfast } from './support/command-line.js';

const env = { PATH: process.env.PATH };
const read = (...parts: string[]) => readFileSync(path.join(...parts), 'utf8');

const PM2 = `module.exports = {
  apps: [
    {
      name: 'HTTP API', script: './api.js', instances: 2, exec_mode: 'cluster', args: ['-a', 'yes', '1.0'],
      max_memory_restart: '300M', kill_timeout: 3000, namespace: 'shop', user: 'nobody-of-this-name',
      env: { PORT: 3000, SECRET: 'a: "b" #c', ON: 'true' }, env_production: { NODE_ENV: 'production' },
      restart_delay: 100, out_file: 'logs/out.log', colour: 'blue',
    },
    { name: 'worker', cwd: 'jobs', script: 'worker.js', autorestart: false, cron_restart: '0 0 4 * * *' },
  ],
};`;

t.test("init --from-pm2 writes holdfast's own file, which comes to the same and says what is different", async (t) => {
  const cwd = t.testdir({
    'package.json': '{}',
    'api.js': '',
    jobs: { 'worker.js': '' },
    'ecosystem.config.cjs': PM2,
  });
  const { code, stdout } = await holdfast(['init', '--from-pm2', '--env', 'production'], { cwd, env });
  t.equal(code, 0);
  t.match(
    stdout,
    /^holdfast\.yaml\n {2}check {5}holdfast check holdfast\.yaml\n {2}start {5}holdfast start holdfast\.yaml\n$/,
  );
  const text = read(cwd, 'holdfast.yaml');
  t.match(text, /^# From ecosystem\.config\.cjs, PM2's file\./);
  for (const comment of [
    /^ {4}# kill_timeout: killTimeout: from SIGTERM to SIGKILL;.*\n(?: {4}#.*\n)? {4}killTimeout: 3s$/m,
    /^ {4}# max_memory_restart: maxMemory: /m,
    /^ {4}# Not taken over:$/m,
    /^ {4}# - namespace: there are names alone/m,
    /^ {4}# - colour: PM2 has no such key/m,
    /^ {4}# - user: start holdfast itself as that user/m,
  ]) {
    t.match(text, comment);
  }
  for (const line of text.split('\n')) t.ok(line.length <= 110 || line.includes('stopExitCodes'), line);

  const { applications, isPm2s } = await loadApplications(sourceIn(cwd, { target: 'holdfast.yaml' }));
  t.notOk(isPm2s);
  t.match(applications, [
    {
      config: {
        name: 'HTTP-API',
        script: './api.js',
        args: ['-a', 'yes', '1.0'],
        instances: 2,
        cwd,
        env: { PORT: '3000', SECRET: 'a: "b" #c', ON: 'true', NODE_ENV: 'production' },
        ready: 'listening',
        killTimeoutMs: 3_000,
        maxMemoryBytes: 300 * 1024 ** 2,
        backoffBaseMs: 100,
        backoffMaxMs: 100,
        logFile: path.join(cwd, 'logs/out.log'),
      },
    },
    {
      config: {
        name: 'worker',
        script: 'worker.js',
        cwd: path.join(cwd, 'jobs'),
        ready: 'running',
        stopExitCodes: Array.from({ length: 256 }, (_, exitCode) => exitCode),
        reloadCron: '0 4 * * *',
      },
    },
  ]);
});

t.test('what is left out for want of --env is said, and how to have it', async (t) => {
  const cwd = t.testdir({ 'package.json': '{}', 'api.js': '', jobs: { 'worker.js': '' }, 'pm2.config.cjs': PM2 });
  const { stderr } = await holdfast(['init', '--from-pm2'], { cwd, env });
  t.equal(
    stderr,
    'holdfast: without the variables of env_production: holdfast init --from-pm2 --env production --force\n',
  );
  t.match(
    read(cwd, 'holdfast.yaml'),
    /# - env_production: holdfast init --from-pm2 --env production writes it into env/,
  );
  const other = await holdfast(['init', '--from-pm2', '--env', 'staging', '--force'], { cwd, env });
  t.equal(other.stderr, '');
  const text = read(cwd, 'holdfast.yaml');
  t.match(text, /# - env_production: holdfast init/);
  t.match(text, /# - env_staging: the application has none/);
});

t.test('the file may go elsewhere, and its paths lead to the same places', async (t) => {
  const cwd = t.testdir({ 'package.json': '{}', 'api.js': '', config: {} });
  writeFileSync(path.join(cwd, 'pm2.json'), '{ "apps": [{ "script": "api.js", "error_file": "e.log" }] }');
  const args = ['init', '--from-pm2', 'pm2.json', '--output', 'config/api.yaml'];
  t.equal((await holdfast(args, { cwd, env })).code, 0);
  t.match(read(cwd, 'config/api.yaml'), /^cwd: "?\.\."?$/m, 'a single application stands at the top');
  const { applications } = await loadApplications(sourceIn(cwd, { target: 'config/api.yaml' }));
  t.match(applications, [{ config: { name: 'api', cwd, script: 'api.js' } }]);
});

t.test('init writes a configuration for the script that is here', async (t) => {
  for (const [files, script] of [
    [{ 'server.js': '' }, 'server.js'],
    [{ 'package.json': '{"scripts": {"start": "node dist/main.js"}}', dist: { 'main.js': '' } }, 'npm start'],
    [{ 'package.json': '{"scripts": {"start": "nodemon app.js"}}', 'app.js': '' }, 'app.js'],
    [{ src: { 'index.mjs': '' } }, 'src/index.mjs'],
  ] as const) {
    const cwd = t.testdir(files);
    const { code, stderr } = await holdfast(['init'], { cwd, env });
    t.equal(code, 0, stderr);
    const text = read(cwd, 'holdfast.yaml');
    t.match(text, new RegExp(`^script: ${script}$`, 'm'));
    t.match(text, /^# +drainTimeout: 75s$/m);
    const { applications } = await loadApplications(sourceIn(cwd, { target: 'holdfast.yaml', env }));
    t.match(applications, [{ config: { instances: 2 } }]);
    // Every option that is offered is one, as it stands there.
    const whole = text.replaceAll(/^# (?=[a-zA-Z]+: \S+$)/gm, '');
    writeFileSync(path.join(cwd, '.env'), '');
    writeFileSync(path.join(cwd, 'whole.yaml'), whole);
    const all = await loadApplications(sourceIn(cwd, { target: 'whole.yaml', env }));
    t.match(all.applications, [{ config: { health: '/healthz', killTimeoutMs: 5_000, admin: { port: 9100 } } }]);
  }
});

t.test('init with a script, for a file in another folder', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  mkdirSync(path.join(cwd, 'etc'));
  t.equal((await holdfast(['init', 'app.js', '--output', 'etc/shop.yml'], { cwd, env })).code, 0);
  const { applications } = await loadApplications(sourceIn(cwd, { target: 'etc/shop.yml' }));
  t.match(applications, [{ config: { cwd, script: 'app.js' } }]);
});

t.test('init writes over nothing, but when it is told to', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'holdfast.yaml': 'mine' });
  const { code, stderr } = await holdfast(['init'], { cwd, env });
  t.equal(code, 1);
  t.match(stderr, /cannot write .*holdfast\.yaml: it exists already\n.*--force/);
  t.equal(read(cwd, 'holdfast.yaml'), 'mine');
  t.equal((await holdfast(['init', '--force'], { cwd, env })).code, 0);
  t.match(read(cwd, 'holdfast.yaml'), /^script: app\.js$/m);
});

t.test('mistakes are told with the next step, and nothing is written', async (t) => {
  const cwd = t.testdir({
    'package.json': '{}',
    'own.yaml': 'script: a.js',
    'ecosystem.json': '[{ "script": "a.js", "kill_timeout": "soon" }]',
    empty: {},
  });
  for (const [args, where, expected] of [
    [[], 'empty', /no script there has a usual name\n.*holdfast init path\/to\/server\.js/],
    [['gone.js'], '.', /gone\.js/],
    [
      ['own.yaml'],
      '.',
      /cannot make a configuration from own\.yaml: it is a configuration already\n.*--from-pm2 own\.yaml/,
    ],
    [['--output', 'x.json'], '.', /--output holdfast\.yaml/],
    [['--env', 'production'], '.', /^holdfast: cannot use --env: .*\n.*--from-pm2 --env/],
    [['--from-pm2'], 'empty', /no file there has a usual name\n.*--from-pm2 config/],
    [['--from-pm2', 'own.yaml'], '.', /it is a configuration of holdfast already/],
    [['--from-pm2', 'runs.js'], '.', /its name is not that of a configuration file\n.*ecosystem\.config\.cjs/],
    [['--from-pm2', 'gone.json'], '.', /there is no .*gone\.json/],
    [['--from-pm2'], '.', /\[0\]\.kill_timeout: "soon" — must be a number/],
  ] as const) {
    const { code, stdout, stderr } = await holdfast(['init', ...args], { cwd: path.join(cwd, where), env });
    t.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    t.match(stderr, expected);
    t.notMatch(stderr, /^\s+at /m);
    t.equal(stdout, '');
    t.notOk(existsSync(path.join(cwd, where, 'holdfast.yaml')));
  }
  const { code, stderr } = await holdfast(['init', '--output', 'no/x.yaml', '--from-pm2', 'own.yaml'], { cwd, env });
  t.equal(code, 2, stderr);
});

t.test('check shows each application of a file', async (t) => {
  const cwd = t.testdir({ 'package.json': '{}', 'api.js': '', jobs: { 'worker.js': '' } });
  writeFileSync(path.join(cwd, 'ecosystem.config.cjs'), PM2.replace("user: 'nobody-of-this-name',", ''));
  const { code, stdout, stderr } = await holdfast(['check', 'ecosystem.config.cjs', '--env', 'production'], {
    cwd,
    env,
  });
  t.equal(code, 0, stderr);
  t.match(stdout, /^HTTP-API\noption +value +source\nname +HTTP-API +\S+: apps\[0\]\.name$/m);
  t.match(stdout, /^worker\noption +value +source\nname +worker +\S/m);
  t.match(stdout, /^env +NODE_ENV ON PORT SECRET$/m);
  t.match(
    stderr,
    /HTTP-API, from PM2's file; taken over: script, args, instances, exec_mode, restart_delay, env, env_production$/m,
  );
  t.match(stderr, /^ {2}namespace +ignored: /m);
  t.match(stderr, /^ {2}env_production +ignored: the application has none/m);
  const one = await holdfast(['check', 'ecosystem.config.cjs', '--only', 'worker', '--json'], { cwd, env });
  t.match(JSON.parse(one.stdout), { config: { name: 'worker' } });
  const both = await holdfast(['check', 'ecosystem.config.cjs', '--json'], { cwd, env });
  t.match(JSON.parse(both.stdout), { configs: [{ name: 'HTTP-API' }, { name: 'worker' }] });
});

t.test('a unit is for one application, and starts that; a file with several comes to as many', async (t) => {
  const cwd = t.testdir({ 'package.json': '{}', 'api.js': '', jobs: { 'worker.js': '' } });
  writeFileSync(path.join(cwd, 'ecosystem.config.cjs'), PM2.replace("'nobody-of-this-name'", "'daemon'"));
  const words = ['unit', 'ecosystem.config.cjs', '--systemd-version', '254', '--user', 'daemon'];
  const several = await holdfast(words, { cwd, env });
  t.equal(several.code, 0, several.stderr);
  t.match(several.stdout, / --name=HTTP-API --only=HTTP-API\n[\s\S]* --name=worker --only=worker\n/);
  const { code, stdout, stderr } = await holdfast([...words, '--only', 'HTTP API', '--env', 'production'], {
    cwd,
    env,
  });
  t.equal(code, 0, stderr);
  t.match(stdout, / start \S+\/ecosystem\.config\.cjs --name=HTTP-API "--only=HTTP API" --env=production\n/);
});
