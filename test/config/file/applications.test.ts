import { join } from 'node:path';
import t from 'tap';
import { loadApplications, loadConfig } from '../../../src/config/load.js';
import { folder, OWN } from '../support/applications.js';
import { faultsOf, sourceIn } from '../support.js';

async function namesOf(cwd: string, target: string, source = {}): Promise<string[]> {
  const { applications } = await loadApplications(sourceIn(cwd, { target, ...source }));
  return applications.map(({ config }) => config.name);
}

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
