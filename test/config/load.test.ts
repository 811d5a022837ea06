import { join } from 'node:path';
import t from 'tap';
import type { Config } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load.js';
import type { SettingName } from '../../src/config/schema/schema.js';
import { sourceIn } from './support.js';

/** What an option is called in the configuration: with its unit, if it has one. */
type Place<N extends string> = N | `${N}Ms` | `${N}Bytes` | `${N}Ratio`;
type Unplaced = { [N in SettingName]: Extract<keyof Config, Place<N>> extends never ? N : never }[SettingName];
/** The compiler names an option that no configuration has: whoever gave it would be ignored. */
const UNPLACED: { readonly [N in Unplaced]: string } = {
  interpreter: 'in script and nodeArgs',
  envFile: 'in env',
  logMaxSize: 'logMaxBytes',
};

t.test('an option that has another name in the configuration, or none, is known', async (t) => {
  t.same(Object.keys(UNPLACED), ['interpreter', 'envFile', 'logMaxSize']);
});

t.test('a script alone gets every default', async (t) => {
  const cwd = t.testdir({ shop: { 'app.js': '' } });
  const { config, file, warnings } = await loadConfig(sourceIn(join(cwd, 'shop'), { target: 'app.js' }));
  t.equal(file, null);
  t.strictSame(warnings, []);
  t.strictSame(config, {
    name: 'shop',
    script: 'app.js',
    args: [],
    exec: false,
    listen: [],
    nodeArgs: [],
    cwd: join(cwd, 'shop'),
    env: {},
    instanceVar: 'NODE_APP_INSTANCE',
    instances: 1,
    listenMode: 'auto',
    steering: 'auto',
    affinity: 'none',
    adoptAfterMs: 5,
    slowStartMs: 0,
    ready: 'listening',
    readyTimeoutMs: 30_000,
    minUptimeMs: 1_000,
    health: null,
    healthTimeoutMs: 5_000,
    healthIntervalMs: 1_000,
    trialMs: 2_000,
    soakMs: 0,
    surge: 1,
    maxDraining: 3,
    drainTimeoutMs: 75_000,
    spreadMs: 5_000,
    handover: 'on',
    killTimeoutMs: 5000,
    orphanTimeoutMs: 300_000,
    shutdownMessage: 'late',
    keepChildren: false,
    bindTimeoutMs: 0,
    backoffBaseMs: 100,
    backoffMaxMs: 30_000,
    backoffFactor: 2,
    backoffResetMs: 60_000,
    maxRestarts: 10,
    restartWindowMs: 60_000,
    onCrashLoop: 'keep',
    stopExitCodes: [],
    hangTimeoutMs: 10_000,
    maxMemoryBytes: null,
    maxMemoryTotalBytes: null,
    maxRequests: null,
    maxAgeMs: null,
    maxEventLoopDelayMs: null,
    canaryMaxErrorRate: 0.01,
    canaryMaxLatencyRatio: 1.5,
    canaryMaxLoopDelayMs: 500,
    canaryMinRequests: 100,
    beforeReload: null,
    beforeReloadTimeoutMs: 600_000,
    reloadCron: null,
    reloadCronTimeZone: null,
    watch: false,
    admin: null,
    adminNames: [],
    adminTokenFile: null,
    adminMetricsTokenFile: null,
    metricsNames: 'holdfast',
    logLevel: 'info',
    logFormat: 'auto',
    logFile: null,
    logMaxBytes: 50 * 1024 ** 2,
    logMaxAgeMs: 0,
    logKeep: 10,
    logCompress: true,
    hooks: {},
    hookTimeoutMs: 30_000,
  });
});

t.test('the configuration cannot be changed, at any depth', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'x.json': '{"script": "app.js", "args": ["a"], "env": {"A": "1"}}' });
  const { config } = await loadConfig(sourceIn(cwd, { target: 'x.json' }));
  t.throws(() => Object.assign(config, { instances: 2 }), TypeError);
  t.throws(() => Object.assign(config.env, { A: '2' }), TypeError);
  t.throws(() => (config.args as string[]).push('b'), TypeError);
});

t.test('flags win over the environment, it over the file, and that over the defaults', async (t) => {
  const file = { script: 'app.js', instances: 2, soak: '2s', surge: 2, args: ['file'], nodeArgs: ['--file'] };
  const cwd = t.testdir({ 'app.js': '', 'other.js': '', 'x.json': JSON.stringify(file) });
  const env = { HOLDFAST_INSTANCES: '3', HOLDFAST_SOAK: '3s', HOLDFAST_NODE_ARGS: '--env "--two words"' };
  const flags = { instances: '4', name: undefined };
  const load = async (source: object) => (await loadConfig(sourceIn(cwd, { target: 'x.json', ...source }))).config;

  t.match(await load({}), { instances: 2, soakMs: 2000, surge: 2, args: ['file'], nodeArgs: ['--file'] });
  t.match(await load({ env }), { instances: 3, soakMs: 3000, surge: 2, nodeArgs: ['--env', '--two words'] });
  t.match(await load({ env, flags }), { instances: 4, soakMs: 3000, surge: 2, killTimeoutMs: 5000 });
  t.strictSame((await load({ args: ['--port', '1'] })).args, ['--port', '1']);
  t.strictSame((await load({ env: { HOLDFAST_ARGS: 'a "b c"' } })).args, ['a', 'b c']);
  t.match(await load({ env: { HOLDFAST_SCRIPT: 'other.js' } }), { script: 'other.js' });
  t.match(await load({ env: { HOLDFAST_INSTANCES: '' } }), { instances: 2 }, 'an empty variable is none');
});

t.test('variables of env win over those of envFile, and flags over both', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    'vars.env': 'A=file\nB="file\\nlines"\nC=file # why\n',
    'x.yaml': 'script: app.js\nenvFile: vars.env\nenv: { B: env, C: env }\n',
  });
  const flags = { env: ['C=flag', 'D=a=b', 'C=later'] };
  const { config } = await loadConfig(sourceIn(cwd, { target: 'x.yaml', flags }));
  t.strictSame(Object.entries(config.env).sort(), [
    ['A', 'file'],
    ['B', 'env'],
    ['C', 'later'],
    ['D', 'a=b'],
  ]);
});

t.test('every flag is read as its option is', async (t) => {
  const cwd = t.testdir({ 'app.js': '', logs: {} });
  const flags = {
    name: 'shop',
    nodeArgs: ['--a "b c"', '--d'],
    env: 'A=1',
    instances: 'max',
    listenMode: 'reuseaddr',
    ready: 'message',
    readyTimeout: '1m',
    surge: '50%',
    drainTimeout: '0',
    backoffFactor: '1.5',
    maxRestarts: '0',
    logLevel: 'debug',
    logFormat: 'json',
    logFile: 'logs/out.log',
    'ready-timeout': 'ignored',
    $0: 'holdfast',
  };
  const { config } = await loadConfig(sourceIn(cwd, { target: './app.js', flags }));
  const instances = 6;
  t.match(config, {
    name: 'shop',
    script: './app.js',
    nodeArgs: ['--a', 'b c', '--d'],
    env: { A: '1' },
    instances,
    listenMode: 'reuseaddr',
    ready: 'message',
    readyTimeoutMs: 60_000,
    surge: Math.ceil(instances / 2),
    drainTimeoutMs: 0,
    backoffFactor: 1.5,
    maxRestarts: 0,
    logLevel: 'debug',
    logFormat: 'json',
    logFile: join(cwd, 'logs/out.log'),
  });
});

t.test('a surge in percent is rounded up and at least one', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const table: [string, string, number][] = [
    ['4', '50%', 2],
    ['5', '50%', 3],
    ['1', '1%', 1],
    ['3', '100%', 3],
    ['2', '7', 7],
  ];
  for (const [instances, surge, expected] of table) {
    const { config } = await loadConfig(sourceIn(cwd, { target: 'app.js', flags: { instances, surge } }));
    t.equal(config.surge, expected, `${surge} of ${instances}`);
  }
});

t.test('a path is relative to the source that names it', async (t) => {
  const cwd = t.testdir({
    app: { 'app.js': '', 'vars.env': 'FROM=app' },
    conf: {
      'x.json': '{"script": "app.js", "cwd": "../app", "envFile": "vars.env", "logFile": "x.log"}',
      'vars.env': 'FROM=conf',
    },
    'vars.env': 'FROM=here',
  });
  const load = async (source: object) => (await loadConfig(sourceIn(cwd, { target: 'conf/x.json', ...source }))).config;
  const app = join(cwd, 'app');
  t.match(await load({}), { cwd: app, script: 'app.js', env: { FROM: 'conf' }, logFile: join(cwd, 'conf/x.log') });
  const env = { HOLDFAST_ENV_FILE: 'vars.env', HOLDFAST_LOG_FILE: 'x.log', HOLDFAST_CWD: 'app' };
  t.match(await load({ env }), { cwd: app, env: { FROM: 'here' }, logFile: join(cwd, 'x.log') });
  t.match(await load({ flags: { envFile: 'app/vars.env', cwd: 'app' } }), { cwd: app, env: { FROM: 'app' } });
});

t.test('a symbolic link in a path stays what it is, so that it can be moved', async (t) => {
  const cwd = t.testdir({
    releases: { one: { 'server.js': '', 'x.yaml': 'script: server.js' } },
    shop: { current: t.fixture('symlink', '../releases/one') },
  });
  const current = join(cwd, 'shop/current');
  const fromScript = await loadConfig(sourceIn(current, { target: 'server.js' }));
  t.match(fromScript.config, { cwd: current, name: 'shop' });
  const fromFile = await loadConfig(sourceIn(cwd, { target: 'shop/current/x.yaml' }));
  t.match(fromFile, { file: join(current, 'x.yaml'), config: { cwd: current, name: 'shop' } });
});

t.test('the environment warns of variables that are no options', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const env = {
    HOLDFAST_INSTANCE: '3',
    HOLDFAST_COLOUR: 'blue',
    HOLDFAST_ENV: 'A=1',
    HOLDFAST_SLOT: '0',
    HOLDFAST_GENERATION: '1',
    HOLDFAST_RUNTIME_DIR: '/x',
    HOLDFAST_WORKER: '1',
    HOLDFAST_PORT: 'tcp://10.0.0.1:80',
    HOLDFAST_PORT_80_TCP_ADDR: '10.0.0.1',
    HOLDFAST_SERVICE_HOST: '10.0.0.1',
    HOLDFAST_SERVICE_PORT_HTTP: '80',
    HOLDFAST_DEMO_SERVICE_PORT: '80',
    HOLDFAST_DEMO_PORT_80_TCP: 'tcp://10.0.0.1:80',
    NOT_HOLDFAST_X: '1',
  };
  const { warnings } = await loadConfig(sourceIn(cwd, { target: 'app.js', env }));
  t.match(warnings, [/^HOLDFAST_COLOUR /, /^HOLDFAST_ENV /, /^HOLDFAST_INSTANCE .*did you mean "HOLDFAST_INSTANCES"/]);
  t.equal(warnings.length, 3);
});

t.test('values on the command line can be read by all: that is warned of, and they are not told', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const { warnings } = await loadConfig(sourceIn(cwd, { target: 'app.js', flags: { env: ['TOKEN=hush', 'PORT=1'] } }));
  t.match(warnings, [/--env \(TOKEN, PORT\) can be read by every user.* envFile/]);
  t.notMatch(warnings.join(), /hush/);
  t.same((await loadConfig(sourceIn(cwd, { target: 'app.js' }))).warnings, []);
});
