import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';

t.test('each option knows its source and its place there', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    '.env': 'A=file\nB=file\n',
    'holdfast.yaml': 'script: app.js\ninstances: max\nreadyTimeout: 20s\nenvFile: .env\nenv: { B: yaml, C: yaml }\n',
  });
  const file = path.join(cwd, 'holdfast.yaml');
  const { origins, config } = await loadConfig({
    target: 'holdfast.yaml',
    args: ['--port', '80'],
    flags: { surge: '2', env: ['C=flag', 'D=flag'] },
    env: { HOLDFAST_DRAIN_TIMEOUT: '1m', HOLDFAST_READY_TIMEOUT: '10s' },
    cwd,
    resources: { processors: 3, memoryBytes: 1024 ** 3 },
  });
  const of = (name: string) => origins.settings.find((setting) => setting.name === name);
  t.same(of('instances'), { name: 'instances', value: 'max (3)', source: file, path: 'instances', isSecret: false });
  t.match(of('readyTimeout'), { value: '10s', source: 'environment', path: 'HOLDFAST_READY_TIMEOUT' });
  t.match(of('drainTimeout'), { value: '1m', source: 'environment', path: 'HOLDFAST_DRAIN_TIMEOUT' });
  t.match(of('surge'), { value: '2', source: 'command line', path: '--surge' });
  t.match(of('args'), { value: '--port 80', source: 'command line', isSecret: true });
  t.match(of('killTimeout'), { value: '5s', source: 'default', path: '' });
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
