// `npm run test:unit`: the tests that start nothing heavy, for the desk. Compiled all at once and run by plain Node: under
// tap's loader every file would compile what it imports. Pure ones share a process, since tap alone takes a third of a second
// to load; each of the others has its own. Words pick files by their path.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
/** They start whole supervisors, containers or systemd, take minutes, or are about types and tools. */
const HEAVY = /^(?:e2e|container|systemd|package|kubernetes)\/|^core\/simulation/;
/** Folders whose tests touch nothing outside of themselves. */
const PURE = ['config', 'core', 'core/steering'];
const words = process.argv.slice(2);

const tests = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && !HEAVY.test(file))
  .filter((file) => words.length === 0 || words.some((word) => `test/${file}`.includes(word)))
  .sort();
if (tests.length === 0) throw new Error(`cannot run ${words.join(', ')}: no such test`);

const folder = mkdtempSync(path.join(root, 'test/.unit-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const programs = new Map();
for (const file of tests) {
  const dir = path.dirname(file);
  const name = PURE.includes(dir) ? `all-of-${dir.replaceAll('/', '-')}` : file.replace(/\.ts$/, '');
  programs.set(name, [...(programs.get(name) ?? []), file]);
}

const build = await rolldown({
  cwd: root,
  input: Object.fromEntries([...programs.keys()].map((name) => [name, `unit:${name}`])),
  platform: 'node',
  external: (id) => /^[^./]/.test(id) && !id.startsWith('unit:'),
  plugins: [{ name: 'unit', resolveId: find, load: gather, transform: inPlace }],
});
await build.write({
  dir: folder,
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].mjs',
  chunkFileNames: '[name].mjs',
});
await build.close();

/** What is imported from dist is taken as it is. */
function find(id, importer) {
  if (id.startsWith('unit:')) return id;
  if (importer === undefined || !id.includes('/dist/')) return null;
  return { id: pathToFileURL(path.resolve(path.dirname(importer), id)).href, external: 'absolute' };
}

/** The program of several tests imports them one after the other. */
function gather(id) {
  if (!id.startsWith('unit:')) return null;
  const files = programs.get(id.slice('unit:'.length)) ?? [];
  return files.map((file) => `import ${JSON.stringify(path.join(root, 'test', file))};`).join('\n');
}

/** A file finds its fixtures from where its source is. */
function inPlace(code, id) {
  if (!code.includes('import.meta.url')) return null;
  return { code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)), map: null };
}

const waiting = [...programs.keys()];
const failed = [];
const begun = performance.now();
await Promise.all(Array.from({ length: os.availableParallelism() + 1 }, work));
const seconds = ((performance.now() - begun) / 1000).toFixed(1);
console.log(`${tests.length} files, ${failed.length === 0 ? 'all passed' : 'some FAILED'}, in ${seconds} s`);
for (const name of failed)
  console.log(
    `failed: ${programs
      .get(name)
      .map((file) => `test/${file}`)
      .join(', ')}`,
  );
process.exitCode = failed.length === 0 ? 0 : 1;

async function work() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const { ok, output } = await run(path.join(folder, `${name}.mjs`));
    if (ok) continue;
    failed.push(name);
    console.log(`# ${name}\n${output}`);
  }
}

function run(program) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', program], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}
