import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';

const PLAIN = { args: [], flags: {}, env: {}, resources: { processors: 3, memoryBytes: 1024 ** 3 } };

t.test('each option knows its source and its place there', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    '.env': 'A=file\nB=file\n',
    'holdfast.yaml':
      'script: app.js\ninstances: max\nmaxMemory: 50%\nreadyTimeout: 20s\nenvFile: .env\nenv: { B: yaml, C: yaml }\n',
  });
  const file = path.join(cwd, 'holdfast.yaml');
  const { origins, config } = await loadConfig({
    target: 'holdfast.yaml',
    args: ['--port', '80'],
    flags: { surge: '50%', env: ['C=flag', 'D=flag'] },
    env: { HOLDFAST_DRAIN_TIMEOUT: '1m', HOLDFAST_READY_TIMEOUT: '10s' },
    cwd,
    resources: { processors: 3, memoryBytes: 1024 ** 3 },
  });
  const of = (name: string) => origins.settings.find((setting) => setting.name === name);
  t.same(of('instances'), { name: 'instances', value: 'max (3)', source: file, path: 'instances', isSecret: false });
  t.match(of('readyTimeout'), { value: '10s', source: 'environment', path: 'HOLDFAST_READY_TIMEOUT' });
  t.match(of('drainTimeout'), { value: '1m', source: 'environment', path: 'HOLDFAST_DRAIN_TIMEOUT' });
  t.match(of('surge'), { value: '50% (2)', source: 'command line', path: '--surge' });
  t.match(of('args'), { value: '--port 80', source: 'command line', isSecret: true });
  t.match(of('killTimeout'), { value: '5s', source: 'default', path: '' });
  t.match(of('maxMemory'), { value: '50% (170M for each worker)' });
  t.match(of('health'), { value: null, source: 'default' });
  t.match(of('name'), { value: config.name, source: 'default' });
  t.match(of('cwd'), { value: cwd, source: 'default' });
  t.equal(of('env'), undefined, 'variables are told one by one');
  t.same(origins.variables, {
    A: 'envFile .env',
    B: `env, ${file}`,
    C: '--env, command line',
    D: '--env, command line',
  });
  t.same(Object.keys(config.env).sort(), Object.keys(origins.variables).sort());
});

t.test('an option of a file with several applications knows whether it is shared', async (t) => {
  const cwd = t.testdir({
    'a.js': '',
    'b.js': '',
    'holdfast.yaml':
      'surge: 2\nsoak: 3s\nenv: { A: all, B: all }\napps:\n  - { name: a, script: a.js }\n  - { name: b, script: b.js, soak: 5s, env: { B: own } }\n',
  });
  const { origins } = await loadConfig({ ...PLAIN, target: 'holdfast.yaml', only: ['b'], cwd });
  const file = path.join(cwd, 'holdfast.yaml');
  const of = (name: string) => origins.settings.find((setting) => setting.name === name);
  t.match(of('surge'), { value: '2', source: file, path: 'surge' });
  t.match(of('soak'), { value: '5s', source: file, path: 'apps[1].soak' });
  t.match(of('name'), { value: 'b', source: file, path: 'apps[1].name' });
  t.same(origins.variables, { A: `env, ${file}`, B: `apps[1].env, ${file}` });
});

t.test(
  "an option of PM2's file is told by PM2's own key, and a variable by the environment that gives it",
  async (t) => {
    const app = {
      name: 'a',
      script: 'a.js',
      maxMemoryRestart: '300M',
      exec_mode: 'fork',
      kill_timeout: 1600,
      port: 80,
    };
    const ecosystem = {
      apps: [{ ...app, env: { A: '1', B: '1' }, env_production: { B: '2' } }],
      deploy: { production: { env: { C: '3' } } },
    };
    const cwd = t.testdir({ 'a.js': '', 'ecosystem.config.json': JSON.stringify(ecosystem) });
    const flags = { env: ['production'], killTimeout: '9s' };
    const { origins } = await loadConfig({ ...PLAIN, target: 'ecosystem.config.json', flags, cwd });
    const file = path.join(cwd, 'ecosystem.config.json');
    const of = (name: string) => origins.settings.find((setting) => setting.name === name);
    t.match(of('maxMemory'), { value: '300M', source: file, path: 'apps[0].maxMemoryRestart' });
    t.match(of('ready'), { value: 'running', source: file, path: 'apps[0].exec_mode' });
    t.match(of('killTimeout'), { value: '9s', source: 'command line', path: '--kill-timeout' });
    t.match(of('surge'), { source: 'default' });
    t.same(origins.variables, {
      A: `apps[0].env, ${file}`,
      B: `apps[0].env_production, ${file}`,
      C: `deploy.production.env, ${file}`,
      PORT: `apps[0].port, ${file}`,
    });
  },
);
