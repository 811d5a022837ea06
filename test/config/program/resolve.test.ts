// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the shell that reads these.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/load.js';
import { resolveProgram } from '../../../src/config/program/resolve.js';
import { Unreadable } from '../../../src/config/text/text-file.js';
import { faultsOf, sourceIn } from '../support.js';
import { cmdShim, pnpmShim } from './shims.js';

/** A project with a program of a package, installed as each package manager does it. */
function project(t: Test, manifest: object, files: Readonly<Record<string, string>> = {}): string {
  const cwd = t.testdir({
    shop: {
      'package.json': JSON.stringify({ name: 'shop', version: '1.2.3', ...manifest }),
      'server.js': '',
      dist: { 'server.js': '' },
      src: { 'app.ts': '' },
      node_modules: {
        '.bin': {},
        next: { 'package.json': '{"name": "next", "bin": {"next": "dist/bin/next"}}' },
        tsx: { 'package.json': '{"name": "tsx"}' },
        'ts-node': { 'package.json': '{"name": "ts-node"}' },
      },
    },
  });
  const folder = path.join(cwd, 'shop');
  write(folder, { 'node_modules/next/dist/bin/next': '#!/usr/bin/env node\n', ...files });
  symlinkSync('../next/dist/bin/next', path.join(folder, 'node_modules/.bin/next'));
  return folder;
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

interface Given {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** What it comes to, without the variables that every script of package.json gets. */
async function resolve(cwd: string, target: string | readonly string[], { args = [], env = {} }: Given = {}) {
  const program = await resolveProgram(target, { cwd, env, args });
  const own = Object.entries(program.env).filter(([name]) => !/^(?:npm_|PATH$)/.test(name));
  return { ...program, env: Object.fromEntries(own) };
}

async function refusal(cwd: string, target: string | readonly string[], given: Given = {}): Promise<string> {
  try {
    return `it was taken: ${(await resolve(cwd, target, given)).said}`;
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
}

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

t.test('npm, pnpm, yarn and npx are followed to the script behind', async (t) => {
  const cwd = project(t, {
    scripts: {
      start: 'node dist/server.js',
      prod: 'NODE_ENV=production next start -p ${PORT:-80}',
      again: 'npm run prod',
    },
  });
  const start = { script: 'dist/server.js', args: [], cwd };
  const prod = {
    script: 'node_modules/next/dist/bin/next',
    args: ['start', '-p', '3000'],
    env: { NODE_ENV: 'production' },
  };
  const env = { PORT: '3000' };
  const table: [string, object][] = [
    ['npm start', start],
    ['npm --silent start', start],
    ['npm run start -- --verbose', { ...start, args: ['--verbose'] }],
    ['npm start x', { ...start, args: ['x'] }],
    ['npm run prod', prod],
    ['npm run-script again', prod],
    ['npm exec next start', { args: ['start'] }],
    ['npm exec -- next start', { args: ['start'] }],
    [`npm --prefix ${cwd} start`, start],
    ['pnpm start', start],
    ['pnpm prod', prod],
    ['pnpm run prod --x', { ...prod, args: [...prod.args, '--x'] }],
    ['pnpm exec next start', { args: ['start'] }],
    ['pnpm next start', { args: ['start'] }],
    [`pnpm -C ${cwd} start`, start],
    ['yarn start', start],
    ['yarn prod', prod],
    ['yarn run next start', { args: ['start'] }],
    ['yarn node dist/server', start],
    [`yarn --cwd ${cwd} start`, start],
    ['npx next start', { script: prod.script, args: ['start'] }],
    ['npx --yes next@15.0.0 start', { script: prod.script, args: ['start'] }],
    ['npx -- next start', { script: prod.script, args: ['start'] }],
  ];
  for (const [target, found] of table) t.match(await resolve(cwd, target, { env }), found, target);
  const { said } = await resolve(cwd, 'npm', { args: ['run', 'start', '--', '--secret'] });
  t.equal(said, 'npm run start → node dist/server.js', "PM2's way, without the owner's own arguments");
  t.match(await resolve(path.join(cwd, 'dist'), 'npm start'), start, 'from a folder below, in that of the package');
  t.match(await resolve(cwd, 'npm start', { args: ['--port', '1'] }), { args: ['--port', '1'] });
});

t.test('a script of package.json sees what npm tells it', async (t) => {
  const scripts = { start: 'node server.js $npm_package_config_port "$npm_package_version"' };
  const cwd = project(t, { scripts, config: { port: 8080 } });
  const { env, args } = await resolveProgram('npm start', { cwd, env: { PATH: '/usr/bin' }, args: [] });
  t.strictSame(args, ['8080', '1.2.3']);
  t.match(env, { npm_lifecycle_event: 'start', npm_package_name: 'shop', npm_package_json: `${cwd}/package.json` });
  t.match(env.PATH, new RegExp(`^${cwd}/node_modules/.bin:.*:/usr/bin$`));
  t.match(await resolve(project(t, {}), 'npm start'), { script: 'server.js' }, 'without a start script: server.js');
});

t.test("Yarn's Plug'n'Play is loaded before the script, as yarn does it", async (t) => {
  const cwd = project(t, { scripts: { start: 'node server.js', again: 'yarn start' } }, { '.pnp.cjs': '' });
  t.match(await resolve(cwd, 'yarn start'), { script: 'server.js', nodeArgs: [`--require=${cwd}/.pnp.cjs`] });
  write(cwd, { '.pnp.loader.mjs': '' });
  const loader = `--experimental-loader=file://${cwd}/.pnp.loader.mjs`;
  t.match((await resolve(cwd, 'yarn again')).nodeArgs, [`--require=${cwd}/.pnp.cjs`, loader], 'once');
});

t.test('what sets variables is followed, with its files read', async (t) => {
  const cwd = project(
    t,
    {
      scripts: {
        start: 'cross-env A=1 NODE_OPTIONS="--max-old-space-size=512" node --enable-source-maps dist/server.js',
      },
    },
    {
      '.env': 'A=file\nB=file\nURL=http://$HOST:$PORT\n',
      '.env.production': 'B=production\n',
      'other.env': "C='from other'\n",
    },
  );
  const script = 'dist/server.js';
  const env = { B: 'outside', HOST: 'h', PORT: '80' };
  t.match(await resolve(cwd, 'npm start'), {
    script,
    nodeArgs: ['--enable-source-maps'],
    env: { A: '1', NODE_OPTIONS: '--max-old-space-size=512' },
    said: 'npm start → node --enable-source-maps dist/server.js',
  });
  const table: [string, object][] = [
    ['A=1 B="2 3" node dist/server.js', { A: '1', B: '2 3' }],
    ['env A=1 node dist/server.js', { A: '1' }],
    ['cross-env \'A="b c"\' node dist/server.js', { A: 'b c' }],
    ["cross-env-shell A=1 B=2 'node dist/server.js $A'", { A: '1', B: '2' }],
    ['env-cmd node dist/server.js', { A: 'file', B: 'file', URL: 'http://$HOST:$PORT' }],
    ['env-cmd --no-override -f other.env -- node dist/server.js', { C: 'from other' }],
    ['dotenv -- node dist/server.js', { A: 'file', URL: 'http://h:80', B: undefined }],
    ['dotenv -o -- node dist/server.js', { B: 'file' }],
    ['dotenv -e other.env -e none.env -v D=4 node dist/server.js', { C: 'from other', D: '4', A: undefined }],
    ['export A=1 && cd dist && node server.js', { A: '1' }],
    ["sh -c 'exec node dist/server.js'", {}],
    ['dumb-init -- node dist/server.js', {}],
    ['tini -g -- env A=2 node dist/server.js', { A: '2' }],
  ];
  for (const [target, variables] of table) {
    const program = await resolve(cwd, target, { env });
    t.equal(path.resolve(program.cwd, program.script), path.join(cwd, script), target);
    t.match(program.env, variables, target);
  }
  const { env: cascaded } = await resolve(cwd, 'dotenv -c production -- node dist/server.js');
  t.match(cascaded, { A: 'file', B: 'production' });
  const { said } = await resolve(cwd, ['cross-env', 'TOKEN=secret', 'node', 'server.js']);
  t.equal(said, 'cross-env TOKEN=… node server.js → node server.js', 'values are not told');
});

t.test('node, tsx and ts-node are their options, and the script behind', async (t) => {
  const cwd = project(t, { main: 'dist/server.js' });
  const table: [string, object][] = [
    ['node server.js', { script: 'server.js', nodeArgs: [] }],
    ['node server', { script: 'server.js' }],
    ['node .', { script: 'dist/server.js' }],
    [
      'node -r ./apm.js --import x --max-old-space-size=64 --env-file=.env server.js --port 80',
      {
        nodeArgs: ['-r', './apm.js', '--import=x', '--max-old-space-size=64', '--env-file=.env'],
        args: ['--port', '80'],
      },
    ],
    ['node -- server.js', { script: 'server.js', nodeArgs: [] }],
    ['tsx src/app.ts', { script: 'src/app.ts', nodeArgs: ['--import=tsx'] }],
    [
      'tsx --tsconfig tsconfig.prod.json --no-cache --conditions=dev src/app.ts 1',
      {
        nodeArgs: ['--import=tsx', '--conditions=dev'],
        env: { TSX_TSCONFIG_PATH: 'tsconfig.prod.json', TSX_DISABLE_CACHE: '1' },
        args: ['1'],
      },
    ],
    ['npx tsx src/app.ts', { script: 'src/app.ts', nodeArgs: ['--import=tsx'] }],
    ['node_modules/.bin/tsx src/app.ts', { nodeArgs: ['--import=tsx'] }],
    ['ts-node src/app.ts', { script: 'src/app.ts', nodeArgs: ['--require=ts-node/register'], env: {} }],
    [
      'ts-node --transpile-only -P tsconfig.prod.json --files -r tsconfig-paths/register src/app.ts 1',
      {
        nodeArgs: ['--require=ts-node/register', '--require=tsconfig-paths/register'],
        env: { TS_NODE_TRANSPILE_ONLY: 'true', TS_NODE_PROJECT: 'tsconfig.prod.json', TS_NODE_FILES: 'true' },
        args: ['1'],
      },
    ],
    ['ts-node-transpile-only src/app.ts', { env: { TS_NODE_TRANSPILE_ONLY: 'true' } }],
    ['ts-node --esm src/app', { script: 'src/app.ts', nodeArgs: ['--loader=ts-node/esm'] }],
    ['ts-node-esm src/app.ts', { nodeArgs: ['--loader=ts-node/esm'] }],
  ];
  for (const [target, found] of table) t.match(await resolve(cwd, target), found, target);
  write(cwd, { cli: '#!/usr/bin/env tsx\n' });
  t.match(
    await resolve(cwd, './cli', { args: ['x'] }),
    { script: 'cli', nodeArgs: ['--import=tsx'], args: ['x'] },
    'its first line',
  );
  const elsewhere = t.testdir({ 'app.ts': '' });
  t.match(await refusal('/', ['tsx', path.join(elsewhere, 'app.ts')]), /must have tsx installed; .*: npm install tsx$/);
});

t.test('more than one command is refused, with what to give', async (t) => {
  const cwd = project(t, {
    scripts: {
      start: 'npm run build && node dist/server.js --port 80',
      pipe: 'tsc; node server.js | pino-pretty',
      both: 'node a.js & node b.js',
      or: 'node server.js || exit 1',
      back: 'node server.js &',
      log: 'node server.js > log',
      circle: 'npm run circle',
      serve: 'node server.js',
      preserve: 'tsc -p .',
    },
  });
  for (const [target, message] of [
    [
      'npm start',
      /^must be one command; npm start is "npm run build && .*": run the others in your deployment, and give "node dist\/server.js --port 80"$/,
    ],
    ['npm run pipe', /run the others in your deployment, and give "node server\.js"$/],
    ['npm run both', /which stays in the background: give each program to a supervisor of its own$/],
    ['npm run or', /: give "node server\.js" alone$/],
    ['npm run back', /stays in the background/],
    [
      'npm run log',
      /npm run log is "node server\.js > log": a redirection \(>\) needs a shell; name the script itself$/,
    ],
    [
      'npm run serve',
      /npm run serve runs preserve as well \(tsc -p \.\): run that in your deployment, and give "node server\.js" alone$/,
    ],
    ['npm run circle', /leads in a circle$/],
    [
      'tsc && node server.js',
      /it is "tsc && node server\.js": run the others in your deployment, and give "node server\.js"$/,
    ],
  ] as const) {
    t.match(await refusal(cwd, target), message, target);
  }
});

t.test('what cannot be followed is refused, with the reason', async (t) => {
  const cwd = project(
    t,
    { scripts: { start: 'nodemon server.js', test: 'x' }, workspaces: ['api'] },
    {
      'run.sh': '#!/bin/sh\necho\n',
      'app.py': '#!/usr/bin/env python3\n',
      tool: '\x7fELF\0',
      'node_modules/.bin/native': '\x7fELF\0',
    },
  );
  for (const [target, message] of [
    ['npm start', /nodemon restarts it by itself: name the script alone, with --watch/],
    ['npm run strat', /has no strat; did you mean "start"\?$/],
    ['npm run', /names no script: npm run NAME/],
    ['npm install', /npm install starts nothing/],
    ['npm', /npm alone starts nothing/],
    ['npm start -w api', /chooses a package by -w: name its folder, with --cwd$/],
    ['npm start --port 80', /has the option --port of npm, which is not followed/],
    ['pnpm --filter api start', /chooses a package by --filter/],
    ['pnpm dlx next', /pnpm dlx starts nothing/],
    ['yarn workspace api start', /chooses a package/],
    ['yarn', /yarn alone starts nothing/],
    ['npx -p next -c next', /has the option -p of npx/],
    ['node --watch server.js', /with --watch restarts it by itself/],
    ['node -e "1"', /runs no script with -e/],
    ['node', /names no script/],
    ['node none.js', /must be an existing file; there is no \S+none\.js/],
    ['tsx watch src/app.ts', /watch restarts it by itself/],
    ['ts-node -e 1', /has the option -e/],
    ['concurrently a b', /runs several commands/],
    ['pm2-runtime server.js', /supervises it by itself/],
    ['bun server.js', /is not Node/],
    ['sudo node server.js', /changes the user/],
    ['bash run.sh', /is a shell: name the program that it starts/],
    ['env-cmd -e production node server.js', /has the option -e, which is not followed: give the variables by envFile/],
    ['env-cmd -f env.js node server.js', /reads env\.js, which is a program/],
    ['env-cmd -f none.env node server.js', /there is no \S+none\.env/],
    ['cross-env A=1', /starts nothing/],
    ['./run.sh', /run\.sh is one for sh: name what it starts, or run it as it is with --exec$/],
    ['./app.py', /is one for python3: name what it starts, or run it as it is with --exec$/],
    ['./tool', /is a program for the machine itself: run it as it is with --exec$/],
    ['native', /is a program for the machine itself: run it as it is with --exec$/],
    [process.execPath, /must not name a Node: workers run on the one that runs holdfast$/],
    ['nxt', /there is no nxt in \S+; did you mean "next"\?$/],
    ['nxt.js', /must be an existing file; there is no \S+nxt\.js/],
  ] as const) {
    t.match(await refusal(cwd, target), message, target);
  }
  write(cwd, { '.pnp.cjs': '' });
  t.match(
    await refusal(cwd, 'vite'),
    /with Plug'n'Play, vite is inside an archive: yarn unplug vite, and name its file$/,
  );
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
