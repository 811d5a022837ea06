import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../../src/config/load.js';
import { faultsOf, sourceIn } from '../support.js';
import { cmdShim, pnpmShim } from './shims.js';
import { project, refusal, resolve, write } from './support/project.js';

t.test('a program by its bare name is found as npm, pnpm and yarn install it', async (t) => {
  const cwd = project(t, {});
  const next = { script: 'node_modules/next/dist/bin/next', args: ['start', '-p', '80'], nodeArgs: [], cwd };
  const given = { args: ['start', '-p', '80'] };
  const said = 'next → node node_modules/next/dist/bin/next';
  t.match(await resolve(cwd, 'next', given), { ...next, env: {}, said, name: 'shop' }, 'a link');

  write(cwd, { 'node_modules/.bin/shim': pnpmShim(cwd, '../next/dist/bin/next') });
  const { env, ...shimmed } = await resolve(cwd, 'shim', { ...given, env: { NODE_PATH: '/mine' } });
  t.match(shimmed, next, "pnpm's shell script");
  t.match(
    env.NODE_PATH,
    /next\/dist\/bin\/node_modules:.*\.pnpm\/node_modules:\/mine$/,
    'with where it looks for modules',
  );

  write(cwd, { 'node_modules/.bin/cmd': cmdShim('../next/dist/bin/next', '--no-warnings') });
  t.match(
    await resolve(cwd, 'cmd', given),
    { ...next, nodeArgs: ['--no-warnings'] },
    "cmd-shim's, with options of node",
  );
  t.match(await resolve(cwd, 'node_modules/.bin/cmd', given), { nodeArgs: ['--no-warnings'] }, 'by its path');
  t.match(await resolve(cwd, 'next start'), { args: ['start'], said: `next start → node ${next.script} start` });

  const below = path.join(cwd, 'dist');
  t.match(await resolve(below, 'next'), { script: path.join(cwd, next.script), cwd: below }, 'from a folder below');
});

t.test('a program on the PATH, of a package that is installed for all projects', async (t) => {
  const cwd = project(t, {}, { 'global/lib/serve/main.js': '#!/usr/bin/env node\n' });
  mkdirSync(path.join(cwd, 'global/bin'));
  symlinkSync('../lib/serve/main.js', path.join(cwd, 'global/bin/serve'));
  const env = { PATH: `relative:${path.join(cwd, 'global/bin')}` };
  t.match(await resolve(cwd, 'serve', { env }), { script: 'global/lib/serve/main.js' });
  t.match(await refusal(cwd, 'serve'), /there is no serve in/);
});

t.test('a package by its name is its program, else its entry', async (t) => {
  const cwd = project(
    t,
    {},
    {
      'node_modules/node-red/package.json': '{"name": "node-red", "bin": {"node-red": "red.js", "node-red-pi": "pi"}}',
      'node_modules/node-red/red.js': '#!/usr/bin/env node\n',
      'node_modules/@acme/serve/package.json': '{"name": "@acme/serve", "bin": {"acme-serve": "cli.mjs"}}',
      'node_modules/@acme/serve/cli.mjs': '',
      'node_modules/@acme/api/package.json':
        '{"name": "@acme/api", "exports": {".": {"import": "./api.mjs"}}, "main": "x.js"}',
      'node_modules/@acme/api/api.mjs': '',
    },
  );
  t.match(await resolve(cwd, 'node-red'), { script: 'node_modules/node-red/red.js' });
  t.match(await resolve(cwd, '@acme/serve'), { script: 'node_modules/@acme/serve/cli.mjs' });
  t.match(await resolve(cwd, '@acme/api'), { script: 'node_modules/@acme/api/api.mjs', name: 'shop' });
  t.match(await refusal(cwd, '@acme/none'), /there is no @acme\/none in/);
});

t.test('a folder is what its package.json says: exports, main, else the start script', async (t) => {
  const cwd = t.testdir({
    exports: { 'package.json': '{"exports": "./lib/a.js", "main": "b.js"}', lib: { 'a.js': '' }, 'b.js': '' },
    main: { 'package.json': '{"main": "lib/b", "scripts": {"start": "node c.js"}}', lib: { 'b.mjs': '' }, 'c.js': '' },
    folder: { 'package.json': '{"main": "lib"}', lib: { 'index.js': '' } },
    'start-script': {
      'package.json': '{"main": "index.js", "scripts": {"start": "node --expose-gc c.js 1"}}',
      'c.js': '',
    },
    index: { 'index.js': '' },
  });
  for (const [target, script] of [
    ['exports', 'exports/lib/a.js'],
    ['./main', 'main/lib/b.mjs'],
    [path.join(cwd, 'folder'), 'folder/lib/index.js'],
    ['index/', 'index/index.js'],
  ] as const) {
    t.match(await resolve(cwd, target), { script, cwd, said: `${target} → node ${script}` }, target);
  }
  const start = { script: 'c.js', args: ['1', '2'], nodeArgs: ['--expose-gc'], cwd: path.join(cwd, 'start-script') };
  t.match(await resolve(cwd, './start-script', { args: ['2'] }), {
    ...start,
    said: './start-script → node --expose-gc c.js 1',
  });
  t.match(await resolve(path.join(cwd, 'start-script'), '.'), {
    ...start,
    args: ['1'],
    name: 'start-script',
  });
});

t.test('it becomes the configuration, in which what the owner says wins', async (t) => {
  const scripts = { start: 'cross-env A=script B=script C=script node --expose-gc dist/server.js' };
  const cwd = project(t, { scripts }, { '.env': 'B=file\nC=file\n', 'x.yaml': 'script: npm\nargs: [run, start]\n' });
  const flags = { env: ['C=flag'], envFile: '.env', nodeArgs: '--title=x' };
  const { config, resolved } = await loadConfig(sourceIn(cwd, { target: 'npm start', flags }));
  t.match(config, {
    script: 'dist/server.js',
    args: [],
    nodeArgs: ['--expose-gc', '--title=x'],
    env: { A: 'script', B: 'file', C: 'flag' },
    cwd,
    name: 'shop',
  });
  t.equal(resolved, 'npm start → node --expose-gc dist/server.js');
  t.match(await loadConfig(sourceIn(cwd, { target: 'x.yaml' })), {
    resolved: 'npm run start → node --expose-gc dist/server.js',
  });
  t.match(await loadConfig(sourceIn(cwd, { target: 'server.js' })), {
    resolved: null,
    config: { name: 'shop', script: 'server.js' },
  });
  write(cwd, { 'bad.yaml': 'script: npm\nargs: run start\n' });
  const [fault, ...others] = await faultsOf(sourceIn(cwd, { target: 'bad.yaml' }));
  t.match(fault, { path: 'args' });
  t.same(others, [], 'what depends on a fault is none');
  t.match(await faultsOf(sourceIn(cwd, { target: 'npm stort' })), [{ path: 'script', value: '"npm stort"' }]);
});

t.test('an interpreter comes before the script', async (t) => {
  const cwd = project(t, {});
  const load = (target: string, interpreter: string) => loadConfig(sourceIn(cwd, { target, flags: { interpreter } }));
  t.match(await load('src/app.ts', 'tsx'), {
    resolved: 'tsx src/app.ts → node --import=tsx src/app.ts',
    config: { script: 'src/app.ts', nodeArgs: ['--import=tsx'], name: 'shop' },
  });
  t.match(await load('src/app.ts', 'ts-node'), { config: { nodeArgs: ['--require=ts-node/register'] } });
  t.match(await load('server.js', 'node'), { resolved: null, config: { nodeArgs: [] } });
  t.match(await faultsOf(sourceIn(cwd, { target: 'app.py', flags: { interpreter: 'bun' } })), [
    { allowed: /is not Node/ },
  ]);
});
