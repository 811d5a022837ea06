import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { ask } from '../e2e/support/ask.js';
import { Holdfast, plainly, root } from '../e2e/support/holdfast.js';
import { freePort } from '../support/ports.js';

const execute = promisify(execFile);
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const LIMIT_BYTES = 1_000_000;

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-package-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const pack = await npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
const [packed] = JSON.parse(pack) as [Packed];
const tarball = path.join(folder, packed.filename);

/**
 * By the Node that runs this, and not with what the test runner puts into the environment. The rest of it stays: it says
 * how this machine comes to its registry (a proxy, certificates, npm's own settings).
 */
async function npm(cwd: string, ...words: string[]): Promise<string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:NODE_OPTIONS|NODE_V8_COVERAGE|_?TAP)/.test(name));
  const PATH = `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`;
  const env = { ...Object.fromEntries(kept), PATH };
  const { stdout } = await execute('npm', words, { cwd, env, maxBuffer: 2 ** 24 });
  return stdout;
}

t.test('it has what is needed and nothing else', async (t) => {
  const paths = packed.files.map((file) => file.path);
  t.ok(packed.unpackedSize < LIMIT_BYTES, `${packed.unpackedSize} bytes`);
  for (const needed of [
    'bin/holdfast.js',
    'dist/program/main.cjs',
    'dist/program/LICENSES.txt',
    'dist/worker/preload.js',
    'dist/worker/preload.js.map',
    'config/schema.json',
  ]) {
    t.ok(paths.includes(needed), needed);
  }
  const wanted =
    /^(?:bin\/(?:holdfast\.js|package\.json)|dist\/(?:index|public|errors|protocol)\.[.\w]+|dist\/api\/\w+(?:\.[cm]js|\.d\.[cm]ts)|dist\/program\/[-\w]+\.(?:cjs|cjs\.br|cjs\.map\.br|txt)|dist\/page\/[.\w]+\.br|dist\/worker\/(?:preload\.js(?:\.map)?|measure\.js|trial\.js(?:\.br)?|package\.json)|config\/(?:example\.yaml|schema\.json|systemd\/[-\w@.]+)|(?:package\.json|README\.md|LICENSE))$/;
  t.same(
    paths.filter((one) => !wanted.test(one)),
    [],
  );
});

t.test('its files, formats and types are found by everybody', async (t) => {
  const publint = path.join(root, 'node_modules/publint/src/cli.js');
  const [node, words] = plainly([publint, 'run', tarball, '--strict']);
  t.match((await execute(node, words)).stdout, /All good/);
  const attw = path.join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const [command, args] = plainly([attw, tarball, '--format', 'ascii', '--no-color', '--no-emoji']);
  t.match((await execute(command, args)).stdout, /No problems found/);
});

t.test('what its licence asks for is in it: each bundled library with its own', async (t) => {
  const licences = readFileSync(path.join(root, 'dist/program/LICENSES.txt'), 'utf8');
  for (const name of ['pidusage', 'pino', 'uplot', 'yargs-parser', 'zod']) {
    t.match(licences, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(\\w+\\)$`, 'm'));
  }
});

t.test('installed without scripts into an empty folder it serves, steered, and is imported', async (t) => {
  const dir = path.join(folder, 'empty');
  await execute('mkdir', [dir]);
  writeFileSync(path.join(dir, 'package.json'), '{ "private": true }\n');
  await npm(dir, 'install', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball);
  writeFileSync(
    path.join(dir, 'app.mjs'),
    `import http from 'node:http';
     import { status } from 'holdfast';
     http.createServer((_, response) => response.end(JSON.stringify(status()))).listen(Number(process.env.PORT));`,
  );
  const port = await freePort();
  const installed = path.join(dir, 'node_modules/holdfast', manifest.bin.holdfast);
  const holdfast = new Holdfast(t, path.join(dir, 'app.mjs'), {
    bin: installed,
    cwd: dir,
    args: ['--name', 'packed', '-i', '2'],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  t.match(await ask(port), { name: 'packed', generation: 1, draining: false });
  const [command, args] = plainly([installed, 'status', '--json'], { HOLDFAST_RUNTIME_DIR: holdfast.runtimeDir });
  const status = JSON.parse((await execute(command, args, { cwd: dir })).stdout) as SupervisorStatus;
  t.match(status, { version: manifest.version, nodeVersion: process.version, size: 2 });
  if (process.platform === 'linux') t.match(status, { listenMode: 'reuseport', steering: true });

  const [node, words] = plainly(['-e', 'process.stdout.write(String(require("holdfast").status()))']);
  t.equal((await execute(node, words, { cwd: dir })).stdout, 'null', 'by require as well');

  const program = `import { connect } from 'holdfast/client';
    import { HoldfastError } from 'holdfast/supervisor';
    const status = await (await connect('packed')).status();
    const error = await connect('nobody').catch((error) => error);
    console.log(status.name, error.code, error instanceof HoldfastError);`;
  writeFileSync(path.join(dir, 'program.mjs'), program);
  const [client, its] = plainly([path.join(dir, 'program.mjs')], { HOLDFAST_RUNTIME_DIR: holdfast.runtimeDir });
  t.equal((await execute(client, its, { cwd: dir })).stdout, 'packed NO_SUPERVISOR true\n', 'and asked by a program');
});
