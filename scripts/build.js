// Builds dist/: every module for the tests, the worker preload as CommonJS in one file, and in dist/program the program in few.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundle, bundleWorker, writeCommonJsApi } from './bundle.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

for (const project of ['.', 'src/worker']) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
mkdirSync(`${root}dist/worker`, { recursive: true });
cpSync(`${root}src/worker/package.json`, `${root}dist/worker/package.json`);
await bundle();
await writeCommonJsApi();
await bundleWorker();
