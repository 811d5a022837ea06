// Builds dist/: every module for the tests, the worker preload as CommonJS in one file, in dist/program the program in few, and
// in dist/page the page of the admin address.
//
// --if-changed: not where nothing has changed since. npm prepares the package when `npx holdfast` is called in its own folder:
// a supervisor that runs from there must not lose its files meanwhile.
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, bundleWorker, writeCommonJsApi } from './bundle.js';
import { buildPage } from './page.js';
import { compile } from './tsc.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = path.join(root, 'dist/.built');
const INPUTS = ['src', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json'];

if (process.argv.includes('--if-changed') && isBuilt()) process.exit(0);
// One that is broken off has built nothing, and what changes meanwhile is not in it.
rmSync(stamp, { force: true });
const begunAt = new Date();

for (const project of ['.', 'src/worker']) compile(project);
mkdirSync(`${root}dist/worker`, { recursive: true });
cpSync(`${root}src/worker/package.json`, `${root}dist/worker/package.json`);
await writeCommonJsApi(await bundle(await buildPage()));
await bundleWorker();
writeFileSync(stamp, '');
utimesSync(stamp, begunAt, begunAt);

/** Folders as well: one that a file has been removed from is younger than what was built of it. */
function isBuilt() {
  const builtAt = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const inputs = INPUTS.flatMap((name) => {
    const input = path.join(root, name);
    if (!statSync(input).isDirectory()) return [input];
    return [input, ...readdirSync(input, { recursive: true }).map((below) => path.join(input, below))];
  });
  return inputs.every((input) => statSync(input).mtimeMs <= builtAt);
}
