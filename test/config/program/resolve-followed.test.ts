// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the shell that reads these.
import path from 'node:path';
import t from 'tap';
import { resolveProgram } from '../../../src/config/program/resolve.js';
import { project, refusal, resolve, write } from './support/project.js';

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
