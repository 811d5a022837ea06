/** Applications that are started as their owners are used to: by a package manager, a package's program, a folder, tsx. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { pnpmShim } from '../config/program/shims.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, makeRuntimeDir, run } from './support/holdfast.js';
import { Load } from './support/load.js';

t.jobs = 2;

const RELOADS = 2;

/** Answers how it was started, and what it was sent. */
const SERVER = `const { answer } = require(${JSON.stringify(path.join(apps, 'integration-answer.cjs'))});
require('node:http').createServer(async (request, response) => {
  if (request.url === '/how') {
    const { A, NODE_APP_INSTANCE, INSTANCE_ID, NODE_PATH, npm_package_version } = process.env;
    const env = { A, NODE_APP_INSTANCE, INSTANCE_ID, NODE_PATH, npm_package_version };
    return response.end(JSON.stringify({ args: process.argv.slice(2), nodeArgs: process.execArgv, cwd: process.cwd(), env }));
  }
  let received = 0;
  for await (const chunk of request) received += chunk.length;
  response.end(await answer(received));
}).listen(process.env.PORT, '127.0.0.1');
`;
const TYPED = `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
${SERVER.replace('let received', 'let received: number')}`;

/** Stands for tsx: a module that makes Node read TypeScript, of one kind only. */
const TSX = {
  'package.json': '{"name": "tsx", "type": "module", "exports": {".": "./loader.mjs"}}',
  'loader.mjs': `import { register } from 'node:module';
register('./hooks.mjs', import.meta.url);
`,
  'hooks.mjs': `import { readFile } from 'node:fs/promises';
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const source = (await readFile(new URL(url), 'utf8')).replace(': number', '');
  return { format: 'module', source, shortCircuit: true };
}
`,
};

const MANIFEST = {
  name: 'shop',
  version: '1.2.3',
  main: 'dist/server.js',
  scripts: {
    start: 'cross-env A=1 node --enable-source-maps dist/server.js --of-the-script',
    two: 'tsc && node dist/server.js',
  },
};

function project(t: Test): string {
  const folder = path.join(t.testdir({ shop: {} }), 'shop');
  const files = {
    'package.json': JSON.stringify(MANIFEST),
    'dist/server.js': SERVER,
    'src/app.ts': TYPED,
    'node_modules/serve/cli.js': `#!/usr/bin/env node\n${SERVER}`,
    'node_modules/.bin/shim': pnpmShim(folder, '../serve/cli.js'),
    ...Object.fromEntries(Object.entries(TSX).map(([name, text]) => [`node_modules/tsx/${name}`, text])),
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  symlinkSync('../serve/cli.js', path.join(folder, 'node_modules/.bin/serve'));
  return folder;
}

interface Form {
  readonly target: string;
  readonly args?: readonly string[];
  readonly said: string;
  /** How the worker sees itself. */
  readonly how: object;
}

/** Starts it, reloads it under load, stops it. */
async function reloads(t: Test, { target, args = [], said, how }: Form): Promise<void> {
  const cwd = project(t);
  const port = await freePort();
  const holdfast = new Holdfast(t, target, { cwd, args: ['-i', '2', ...args], env: { PORT: String(port) } });
  await holdfast.message('started');
  t.match(holdfast.stderr, `holdfast: ${said}\n`, 'it says what it runs');
  t.match(await ask(port, '/how'), { cwd, ...how }, 'as it would have been started without holdfast');
  t.equal((await holdfast.status()).name, 'shop');
  const load = new Load({ port, fresh: 2, keepAlive: 4 });
  t.teardown(() => load.stop());
  for (let generation = 2; generation <= RELOADS + 1; generation++) {
    const { code, stderr } = await holdfast.reload();
    t.equal(code, 0, stderr);
    while (load.answers.at(-1)?.generation !== generation) await pause(5);
  }
  await load.stop();
  t.same(load.errors, {}, load.summary());
  t.match(await ask(port, '/how'), { cwd, ...how }, 'after reloads as well');
  t.equal((await holdfast.stop()).code, 0);
  t.equal(await holdfast.closed, 0);
}

t.test('npm start', { buffered: true }, async (t) => {
  await reloads(t, {
    target: 'npm',
    args: ['start', '--', '--mine'],
    said: 'npm start → node --enable-source-maps dist/server.js --of-the-script',
    how: {
      args: ['--of-the-script', '--mine'],
      nodeArgs: /--enable-source-maps/,
      env: { A: '1', npm_package_version: '1.2.3' },
    },
  });
});

t.test("a package's program that pnpm has installed", { buffered: true }, async (t) => {
  await reloads(t, {
    target: 'shim',
    args: ['--', 'start', '-x'],
    said: 'shim → node node_modules/serve/cli.js',
    how: { args: ['start', '-x'], env: { NODE_PATH: /\.pnpm\/node_modules$/ } },
  });
});

t.test("a package's program that npm has installed", { buffered: true }, async (t) => {
  await reloads(t, { target: 'serve', said: 'serve → node node_modules/serve/cli.js', how: { args: [] } });
});

t.test('a folder', { buffered: true }, async (t) => {
  await reloads(t, { target: '.', said: '. → node dist/server.js', how: { args: [] } });
});

t.test('tsx', { buffered: true }, async (t) => {
  await reloads(t, {
    target: 'tsx src/app.ts --x',
    said: 'tsx src/app.ts --x → node --import=tsx src/app.ts --x',
    how: { args: ['--x'], nodeArgs: /--import=tsx/ },
  });
});

t.test('each reload reads anew what the command is', { buffered: true }, async (t) => {
  const cwd = project(t);
  const port = await freePort();
  const holdfast = new Holdfast(t, 'npm start', { cwd, env: { PORT: String(port) } });
  await holdfast.message('started');
  const change = (start: string) =>
    writeFileSync(path.join(cwd, 'package.json'), JSON.stringify({ ...MANIFEST, scripts: { start } }));
  change('A=2 node dist/server.js');
  t.equal((await holdfast.reload()).code, 0);
  t.match(await ask(port, '/how'), { args: [], env: { A: '2' } });
  change('tsc && node dist/server.js');
  const { code, stderr } = await holdfast.run('reload');
  t.equal(code, 1);
  t.match(stderr, /must be one command/);
  t.match(await ask(port, '/how'), { env: { A: '2' } }, 'and the old one serves on');
});

t.test('what is more than one command, or no Node script, is told before anything runs', async (t) => {
  const cwd = project(t);
  writeFileSync(path.join(cwd, 'run.sh'), '#!/bin/sh\nexec node dist/server.js --all\n');
  for (const [words, message] of [
    [['npm', 'run', 'two'], /npm run two is "tsc && node .*": .* give "node dist\/server\.js"/],
    [['./run.sh'], /run\.sh is one for sh: name what it starts/],
    [['srve'], /there is no srve in .*did you mean "serve"\?/],
  ] as const) {
    const { code, stderr } = await run(['start', ...words], { cwd, runtimeDir: makeRuntimeDir(t) });
    t.equal(code, 2, words.join(' '));
    t.match(stderr, message);
  }
});

t.test('the variable with the slot is the one that its owner names; one of env wins', async (t) => {
  const cwd = project(t);
  for (const [args, env] of [
    [[], { NODE_APP_INSTANCE: '0' }],
    [['--instance-var', 'INSTANCE_ID'], { INSTANCE_ID: '0', NODE_APP_INSTANCE: undefined }],
    [['--env', 'NODE_APP_INSTANCE='], { NODE_APP_INSTANCE: '' }],
  ] as const) {
    const port = await freePort();
    const holdfast = new Holdfast(t, 'dist/server.js', { cwd, args, env: { PORT: String(port) } });
    await holdfast.message('started');
    const { env: seen } = (await ask(port, '/how')) as { env: Record<string, string | undefined> };
    for (const [name, value] of Object.entries(env)) t.equal(seen[name], value, `${args.join(' ')} ${name}`);
    await holdfast.end();
  }
});

t.test('what NODE_OPTIONS preloads is for the workers alone', async (t) => {
  const cwd = project(t);
  const seen = path.join(cwd, 'seen');
  writeFileSync(
    path.join(cwd, 'apm.cjs'),
    `process.env.A = 'traced';
require('node:fs').appendFileSync(${JSON.stringify(seen)}, process.argv.slice(1).join(' ') + '\\n');`,
  );
  const port = await freePort();
  const NODE_OPTIONS = `--require ${cwd}/apm.cjs --max-http-header-size=20000`;
  const holdfast = new Holdfast(t, 'dist/server.js', { cwd, env: { PORT: String(port), NODE_OPTIONS } });
  await holdfast.message('started');
  t.equal((await holdfast.status()).pid, holdfast.pid, 'it has kept its PID');
  t.match(await ask(port, '/how'), { env: { A: 'traced' } });
  const began = readFileSync(`/proc/${holdfast.pid}/environ`, 'utf8').split('\0');
  t.match(
    began.filter((variable) => /^NODE_OPTIONS=/.test(variable)),
    ['NODE_OPTIONS=--max-http-header-size=20000'],
  );
  t.equal((await holdfast.reload()).code, 0);
  t.match(await ask(port, '/how'), { env: { A: 'traced' } });
  t.notMatch(readFileSync(seen, 'utf8'), /prepare\.cjs/, 'nor for what reads the configuration');
});
