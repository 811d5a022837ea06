import { join } from 'node:path';
import t from 'tap';
import { loadApplications, loadConfig } from '../../../src/config/load.js';
import { isPm2File } from '../../../src/config/pm2/recognize.js';
import { folder, OWN, SCRIPTS } from '../support/applications.js';
import { refusal, sourceIn } from '../support.js';

t.test("PM2's file is told from holdfast's own", async (t) => {
  const apps = (...list: object[]) => ({ apps: list });
  const table: [object, string, boolean][] = [
    [apps({ script: 'a.js' }), 'ecosystem.config.cjs', true],
    [apps({ script: 'a.js' }), 'ecosystem.prod.json', true],
    [apps({ script: 'a.js' }), 'process.yml', true],
    [{ script: 'a.js' }, 'process.json', true],
    [[{ script: 'a.js' }], 'any.json', true],
    [{ pm2: [{ script: 'a.js' }] }, 'package.json', true],
    [apps({ script: 'a.js', exec_mode: 'cluster' }), 'any.json', true],
    [apps({ script: 'a.js', env_production: {} }), 'any.json', true],
    [apps({ script: 'a.js', args: '-a' }), 'any.json', true],
    [apps({ script: 'a.js', killTimeout: 3000 }), 'any.json', true],
    [{ ...apps({ script: 'a.js' }), deploy: {} }, 'any.config.js', true],
    [apps({ script: 'a.js', killTimeout: '3s' }), 'any.json', false],
    [apps({ script: 'a.js' }), 'any.json', false],
    [apps({ script: 'a.js', exec_mode: 'fork' }), 'holdfast.json', false],
    [apps({ script: 'a.js', drainTimeout: '3s' }), 'process.yaml', false],
    [{ script: 'a.js', drainTimeout: '3s' }, 'process.yaml', false],
    [{ script: 'a.js', kill_timeout: 3 }, 'any.json', false],
    [{ script: 'a.js' }, 'processor.json', false],
  ];
  for (const [contents, file, is] of table) {
    t.equal(isPm2File(contents, `/srv/${file}`), is, `${file}: ${JSON.stringify(contents)}`);
  }
});

/** As they stand in the documentation of PM2, in its own examples, and in its templates: their kinds, with other words. */
const DOCUMENTED: readonly (readonly [file: string, text: string])[] = [
  ['ecosystem.config.js', 'module.exports = { apps: [{ name: "app1", script: "./app.js" }] }'],
  [
    'ecosystem.config.cjs',
    `module.exports = { apps: [{
      name: 'app1', script: './app.js', watch: '.', ignore_watch: ['node_modules'],
      env_production: { NODE_ENV: 'production' }, env_development: { NODE_ENV: 'development' }
    }], deploy: { production: { user: 'me', host: 'h', ref: 'origin/master', repo: 'r', path: '/srv', 'post-deploy': 'x' } } };`,
  ],
  ['ecosystem.config.mjs', 'const config = { apps: [{ name: "app1", script: "index.js" }] };\nexport default config;'],
  [
    'ecosystem.json',
    '{ "apps": [{ "name": "app1", "script": "app.js", "instances": 2, "exec_mode": "cluster", "wait_ready": true, "kill_timeout": 2000, "listen_timeout": 1000 }] }',
  ],
  [
    'process.json',
    "{\n  // why\n  apps : [{\n    name : 'app1', /* here */\n    script:'app.js',\n\tinstances  : 'max',\n    env : { NODE_ENV : 'a//b' },\n  }]\n}\n",
  ],
  [
    'process.yml',
    "apps:\n  - name : 'app1'\n    script: 'app.js'\n    instances: 'max'\n    env:\n      NODE_ENV : 'development'\n",
  ],
  ['pm2.json', '{ "apps": { "name": "app1", "treekill": false, "script": "app.js" } }'],
  [
    'list.json',
    '[{ "name": "app1", "script": "app.js", "instances": "2", "exec_mode": "fork", "increment_var": "PORT", "out_file": "NULL" }]',
  ],
  [
    'package.json',
    '{ "name": "shop", "version": "1.0.0", "pm2": { "name": "app1", "script": "app.js", "max_memory_restart": "200M" } }',
  ],
  ['ecosystem.named.config.mjs', 'export const apps = [{ name: "app1", script: "app.js" }];'],
  [
    'ecosystem.static.config.cjs',
    'exports.apps = [{ name: "app1", script: "app.js" }]; exports.static = [{ port: 80 }]',
  ],
  ['ecosystem.function.config.cjs', 'module.exports = async () => ({ apps: [{ name: "app1", script: "app.js" }] })'],
];

t.test('files as they stand in the documentation of PM2 come to an application', async (t) => {
  for (const [file, text] of DOCUMENTED) {
    // A package.json of its own kind would be that of the modules, too.
    const cwd = t.testdir({ ...SCRIPTS, ...(file === 'package.json' ? {} : { 'package.json': '{}' }), [file]: text });
    const { applications, isPm2s } = await loadApplications(sourceIn(cwd, { target: file }));
    t.ok(isPm2s, file);
    t.match(applications, [{ config: { name: 'app1', cwd } }], file);
    t.ok((applications[0]?.notes.length ?? 0) > 0, `${file}: and it is said what has become of its keys`);
    if (text.includes('static')) t.match(applications[0]?.notes.at(-1), { key: 'static', says: /npm install serve/ });
  }
});

t.test('--env names an environment of PM2, and is a variable where it has a value', async (t) => {
  const cwd = folder(t, {
    'ecosystem.config.cjs': `module.exports = {
      apps: [{ name: 'a', script: 'app.js', env: { A: 'env', B: 'env' }, env_production: { A: 'production' } }],
      deploy: { staging: { env: { C: 'deploy' } } },
    }`,
    'holdfast.yaml': OWN,
  });
  const envOf = async (...env: string[]) => {
    const { config } = await loadConfig(sourceIn(cwd, { target: 'ecosystem.config.cjs', flags: { env } }));
    return { ...config.env };
  };
  t.same(await envOf('production'), { A: 'production', B: 'env' });
  t.same(await envOf('production', 'B=flag'), { A: 'production', B: 'flag' });
  t.same(await envOf('A=flag'), { A: 'flag', B: 'env' });
  t.same(await envOf('staging'), { A: 'env', B: 'env', C: 'deploy' });
  const { message } = await refusal(sourceIn(cwd, { target: 'holdfast.yaml', flags: { env: ['production'] } }));
  t.match(message, /--env — must be KEY=VALUE/, "holdfast's own file has no environments");
});

t.test("PM2's paths begin where the command is typed", async (t) => {
  const cwd = t.testdir({
    ...SCRIPTS,
    config: { 'ecosystem.config.cjs': 'module.exports = { apps: [{ script: "app.js" }] }' },
  });
  const { config } = await loadConfig(sourceIn(cwd, { target: 'config/ecosystem.config.cjs' }));
  t.match(config, { cwd, script: 'app.js' });
  const other = await refusal(sourceIn(join(cwd, 'config'), { target: 'ecosystem.config.cjs' }));
  t.match(other.message, /apps\[0\]\.script: "app\.js" — .*no app\.js|apps\[0\]\.script: "app\.js"/);
});

t.test("mistakes in PM2's file are told with their place, and all at once", async (t) => {
  const table: [string, string, object[]][] = [
    [
      'ecosystem.config.cjs',
      'module.exports = {\n  apps: [{ name: "a" script: "b" }]\n}',
      [{ path: '', allowed: /; line 2: it threw SyntaxError: / }],
    ],
    [
      'ecosystem.config.mjs',
      'export default {\n\n  apps: [{ name: "a" script: "b" }]\n}',
      [{ path: '', allowed: /; line 3: it threw SyntaxError: / }],
    ],
    [
      'ecosystem.throws.config.mjs',
      'export default () => ({\n  apps: undefined_list\n})',
      [{ path: '', allowed: /; line 2: it threw ReferenceError: undefined_list is not defined$/ }],
    ],
    [
      'ecosystem.json',
      '{\n  "apps": [\n    { "name": "a", ]\n}',
      [{ path: '', allowed: /^must be JSON; line 3, column \d+/ }],
    ],
    ['ecosystem.yaml', 'apps:\n  - name: a\n   script: b\n', [{ path: '', allowed: /^must be YAML; line 3/ }]],
    ['process.json', '{ "apps": "a.js" }', [{ path: 'apps' }]],
    ['pm2.json', '{ "apps": [] }', [{ path: 'apps', allowed: /at least one/ }]],
    ['ecosystem.empty.json', '{ "app": [{ "script": "app.js" }] }', [{ path: 'apps', allowed: /at least one/ }]],
    ['ecosystem.none.json', '{ "apps": [{ "name": "a" }] }', [{ path: 'apps[0].script', allowed: /must be given/ }]],
    [
      'ecosystem.kinds.json',
      '{ "apps": [{ "name": "a", "script": "gone.js" }, { "name": "a", "script": "app.js" }] }',
      [{ path: 'apps[1].name', allowed: /apps\[0\] has it/ }],
    ],
    [
      'ecosystem.types.json',
      '{ "apps": [{ "name": "a", "script": "app.js", "kill_timeout": "x" }, { "name": "b", "script": "gone.js", "instances": 0.5 }] }',
      [
        { path: 'apps[0].kill_timeout', value: '"x"', allowed: 'must be a number' },
        { path: 'apps[1].instances', value: '0.5' },
        { path: 'apps[1].script', allowed: /gone\.js/ },
      ],
    ],
    [
      'ecosystem.off.json',
      '[{ "script": "app.js", "autostart": false }]',
      [{ path: '--only', allowed: /autostart is false/ }],
    ],
  ];
  const cwd = folder(t, { 'package.json': '{}', ...Object.fromEntries(table) });
  for (const [target, , faults] of table) {
    for (const flags of [{}, { env: ['production'] }]) {
      const { faults: found, message } = await refusal(sourceIn(cwd, { target, flags }));
      t.match(found, faults, `${target}: ${message}`);
      t.equal(found.length, faults.length, target);
    }
  }
});
