import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadApplications, loadConfig } from '../../../src/config/load.js';
import { isPm2File } from '../../../src/config/pm2/recognize.js';
import { faultsOf, refusal, sourceIn } from '../support.js';

const SCRIPTS = { 'api.js': '', 'worker.js': '', 'index.js': '', 'app.js': '' };

async function namesOf(cwd: string, target: string, source = {}): Promise<string[]> {
  const { applications } = await loadApplications(sourceIn(cwd, { target, ...source }));
  return applications.map(({ config }) => config.name);
}

function folder(t: Test, files: Record<string, string>): string {
  return t.testdir({ ...SCRIPTS, ...files });
}

const OWN = `
drainTimeout: 20s
env: { MODE: production, VERSION: 1.10 }
apps:
  - name: api
    script: api.js
    instances: 2
    env: { PORT: 3000, VERSION: 2.0 }
  - name: worker
    script: worker.js
    drainTimeout: 5s
    args: [007]
`;

t.test("holdfast's own file may have several applications, with what they share beside them", async (t) => {
  const cwd = folder(t, { 'holdfast.yaml': OWN });
  const { applications, file } = await loadApplications(sourceIn(cwd, { target: 'holdfast.yaml' }));
  t.equal(file, join(cwd, 'holdfast.yaml'));
  const [api, worker] = applications.map(({ config }) => config);
  t.match(api, { name: 'api', script: 'api.js', instances: 2, drainTimeoutMs: 20_000, cwd });
  t.strictSame({ ...api?.env }, { MODE: 'production', PORT: '3000', VERSION: '2.0' });
  t.match(worker, { name: 'worker', instances: 1, drainTimeoutMs: 5_000, args: ['007'] });
  t.strictSame({ ...worker?.env }, { MODE: 'production', VERSION: '1.10' });
});

t.test('each format may have them', async (t) => {
  const apps = '[{"name": "a", "script": "api.js"}, {"name": "b", "script": "app.js"}]';
  const cwd = folder(t, {
    'x.json': `{"apps": ${apps}}`,
    'x.config.cjs': `module.exports = () => ({ apps: ${apps} })`,
    'x.config.mjs': `export default async () => ({ apps: ${apps} })`,
    'one.yaml': 'apps: [{ script: api.js }]',
  });
  for (const target of ['x.json', 'x.config.cjs', 'x.config.mjs']) {
    t.same(await namesOf(cwd, target), ['a', 'b'], target);
  }
  t.same(await namesOf(cwd, 'one.yaml'), ['api'], 'a single one needs no name');
});

t.test('--only chooses, by names with commas or spaces between', async (t) => {
  const cwd = folder(t, {
    'holdfast.yaml': OWN,
    'ecosystem.config.cjs':
      'module.exports = { apps: [{ name: "HTTP API", script: "api.js" }, { script: "worker.js", autostart: false }] }',
  });
  t.same(await namesOf(cwd, 'holdfast.yaml', { only: ['worker'] }), ['worker']);
  t.same(await namesOf(cwd, 'holdfast.yaml', { only: ['worker', 'api'] }), ['api', 'worker']);
  t.same(await namesOf(cwd, 'ecosystem.config.cjs', { only: ['HTTP API'] }), ['HTTP-API'], "PM2's own name will do");
  t.same(await namesOf(cwd, 'holdfast.yaml', { only: ['worker api'] }), ['api', 'worker']);
  t.same(await namesOf(cwd, 'ecosystem.config.cjs', { only: ['HTTP-API'] }), ['HTTP-API']);
  t.same(await namesOf(cwd, 'ecosystem.config.cjs'), ['HTTP-API'], 'autostart: false is left out');
  t.same(await namesOf(cwd, 'ecosystem.config.cjs', { only: ['worker'] }), ['worker'], 'unless it is named');
  t.match(await faultsOf(sourceIn(cwd, { target: 'holdfast.yaml', only: ['wroker'] })), [
    { source: 'command line', path: '--only', value: '"wroker"', allowed: /api, worker; did you mean "worker"\?$/ },
  ]);
  t.match(await faultsOf(sourceIn(cwd, { target: 'app.js', only: ['x'] })), [{ path: '--only' }]);
});

t.test('one application is asked for where there are several', async (t) => {
  const cwd = folder(t, { 'holdfast.yaml': OWN });
  await t.rejects(loadConfig(sourceIn(cwd, { target: 'holdfast.yaml' })), {
    message: /there are 2: choose with --only \(api, worker\)/,
  });
  t.match(await loadConfig(sourceIn(cwd, { target: 'holdfast.yaml', only: ['api'] })), { config: { name: 'api' } });
});

t.test('every mistake of a file with several is told with its place', async (t) => {
  const table: [string, string, object[]][] = [
    ['none.yaml', 'apps: []', [{ path: 'apps', allowed: /list of at least one application/ }]],
    ['text.yaml', 'apps: api', [{ path: 'apps', value: '"api"' }]],
    ['kinds.yaml', 'apps: [api]', [{ path: 'apps' }]],
    [
      'unnamed.yaml',
      'apps: [{ script: api.js }, { name: b, script: app.js }]',
      [{ path: 'apps[0].name', allowed: /must be given where there are several/ }],
    ],
    ['shared.yaml', 'name: x\napps: [{ script: api.js }]', [{ path: 'name', allowed: /must stand in each of apps/ }]],
    [
      'twice.yaml',
      'apps: [{ name: a, script: api.js }, { name: a, script: app.js }]',
      [{ path: 'apps[1].name', value: '"a"', allowed: /apps\[0\] has it/ }],
    ],
    [
      'both.yaml',
      'readyTimeut: 1s\napps: [{ name: a, script: gone.js }, { name: b, script: app.js, surge: 0, colour: x }]',
      [
        { path: 'readyTimeut', allowed: /did you mean "readyTimeout"/ },
        { path: 'apps[0].script', allowed: /gone\.js/ },
        { path: 'apps[1].colour' },
        { path: 'apps[1].surge', value: '0' },
      ],
    ],
    [
      'admin.yaml',
      'admin: 9100\napps: [{ name: a, script: api.js }, { name: b, script: app.js }]',
      [{ path: 'admin', allowed: /another address for b: a has it/ }],
    ],
  ];
  const cwd = folder(t, Object.fromEntries(table));
  for (const [target, , faults] of table) {
    const found = await faultsOf(sourceIn(cwd, { target }));
    t.match(
      [...found].sort(
        (a, b) =>
          faults.findIndex((one) => 'path' in one && one.path === a.path) -
          faults.findIndex((one) => 'path' in one && one.path === b.path),
      ),
      faults.map((fault) => ({ source: join(cwd, target), ...fault })),
      target,
    );
    t.equal(found.length, faults.length, `${target}: each once`);
  }
});

t.test('what only one can have is refused for several', async (t) => {
  const cwd = folder(t, { 'holdfast.yaml': OWN });
  const source = { target: 'holdfast.yaml', flags: { name: 'x', script: 'y' }, env: { HOLDFAST_NAME: 'z' } };
  t.match(await faultsOf(sourceIn(cwd, source)), [
    { path: '--name', allowed: /choose it with --only/ },
    { path: 'HOLDFAST_NAME' },
    { path: '--script' },
  ]);
  t.same(await namesOf(cwd, 'holdfast.yaml', { flags: { name: 'x' }, only: ['api'] }), ['x']);
  const { applications } = await loadApplications(
    sourceIn(cwd, { target: 'holdfast.yaml', flags: { instances: '3' } }),
  );
  t.same(
    applications.map(({ config }) => config.instances),
    [3, 3],
    'other flags are for all of them',
  );
});

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
