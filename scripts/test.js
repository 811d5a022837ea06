// Runs the tests: compiled all at once and run by plain Node, side by side as far as the machine bears. Under tap's own runner
// each file loads a compiler and a tracer of its own, more than a second of work for tests of some milliseconds; they are tap's
// tests all the same, and `npx tap FILE` runs one as well.
//
//   node scripts/test.js [--unit] [--tap] [WORD...]
//
// Words pick files by their path. `--unit`: only those that start nothing heavy. `--tap`: all assertions, not only those of
// files that failed.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import { parseSync, Visitor } from 'rolldown/utils';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: flags, positionals: words } = parseArgs({
  options: { unit: { type: 'boolean' }, tap: { type: 'boolean' } },
  allowPositionals: true,
});

/** They start whole supervisors, containers or systemd, take minutes, or are about types and tools. */
const HEAVY =
  /^(?:e2e|container|systemd|package|kubernetes|programs)\/|^core\/(?:adoption\/)?simulation|^worker\/handover/;
/** Tests of a folder share a process: of most, starting it is most of the work. Not these: they change what Node does. */
const APART = /^(?:\.|worker(?:\/(?:channel|connections|datagrams|listen|outlive))?)$/;
/** They install programs from the registry: they run where a word names them. */
const FROM_REGISTRY = /^programs\/(?!table\.)/;
/** They measure time, by timeouts of their own as well. */
const ALONE = /^e2e\/(?:chaos|concurrency|releases|sick|steering)\./;
/** They boot the same machine, one after the other, and wait for it most of the time: four minutes, and 40 s of work. */
const ONE_AT_A_TIME = /^systemd\//;
/** They build and run images: work for a processor. */
const IMAGES = /^container\//;
/** They take long, the longest first, so that nobody waits for one at the end; and most of the machine, or half of it. */
const LONG = [
  'handover',
  'kinds',
  'grpc',
  'connections',
  'proxies',
  'reload',
  'integrations',
  'tls',
  'page',
  'prometheus',
];
const GREEDY = LONG.slice(0, 4);

/** What may run at a time, in shares of the machine: most tests wait most of the time. */
const CAPACITY = os.availableParallelism() * 2 + 1;
/** Of one file, unless it sets its own, in seconds: on a busy machine the simulation takes four minutes. */
const TIMEOUT_S = 480;
/** Whatever it sets: it hangs. Frameworks take minutes to be installed and built. */
const HANGS_MS = 11 * 60_000;
const HANGS_WITH_INSTALLATIONS_MS = 30 * 60_000;

const tests = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && !(flags.unit && HEAVY.test(file)))
  .filter((file) => words.length > 0 || !FROM_REGISTRY.test(file))
  .filter((file) => words.length === 0 || words.some((word) => `test/${file}`.includes(word)))
  .sort();
if (tests.length === 0) {
  console.error(`cannot run ${words.join(', ')}: no such test. Give a part of a path, such as test/core`);
  process.exit(2);
}

const folder = mkdtempSync(path.join(root, 'test/.compiled-'));
const children = new Set();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop());

const programs = gathered(tests);
await Promise.all([compile(programs), bundleTap()]);
const begun = performance.now();
const results = await runAll([...programs.values()].sort((a, b) => rank(a) - rank(b)));
const failed = results.filter(({ ok }) => !ok);
console.log(`1..${results.length}`);
console.log(`# ${tests.length} files in ${results.length} processes, ${seconds(performance.now() - begun)} s`);
for (const { title } of failed) console.log(`# failed: ${title}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** By the name of the program: its files. */
function gathered(tests) {
  const programs = new Map();
  for (const file of tests) {
    const dir = path.dirname(file);
    const isShared = !APART.test(dir) && !HEAVY.test(file);
    const name = isShared ? `all-of-${dir.replaceAll('/', '-')}` : file.replace(/\.ts$/, '');
    const { files } = programs.get(name) ?? { files: [] };
    const title = isShared ? `test/${dir}/*.test.ts` : `test/${file}`;
    programs.set(name, { name, title, files: [...files, file] });
  }
  return programs;
}

async function compile(programs) {
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries([...programs.keys()].map((name) => [name, `test:${name}`])),
    platform: 'node',
    external: (id) => /^[^./]/.test(id) && !id.startsWith('test:'),
    plugins: [{ name: 'tests', resolveId: find, load: gather, transform: inPlace }],
  });
  await build.write({
    dir: folder,
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name].mjs',
  });
  await build.close();
}

/**
 * tap as one file, where the tests find it first: its 300 files would take half a second of each process, ten times what most
 * tests take. Below a name that tap leaves out of stack traces as its own.
 */
async function bundleTap() {
  const packages = path.join(folder, 'node_modules');
  const build = await rolldown({ input: { tap: 'tap' }, cwd: root, platform: 'node' });
  const [file, options] = ['@tapjs/bundled.js', { format: 'esm', codeSplitting: false }];
  await build.write({ file: path.join(packages, file), ...options });
  await build.close();
  mkdirSync(path.join(packages, 'tap'));
  writeFileSync(path.join(packages, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(
    path.join(packages, 'tap/index.mjs'),
    `export * from '../${file}';\nexport { default } from '../${file}';\n`,
  );
  writeFileSync(path.join(packages, 'tap/package.json'), JSON.stringify({ name: 'tap', exports: './index.mjs' }));
}

/** What is imported from dist is taken as it is. */
function find(id, importer) {
  if (id.startsWith('test:')) return id;
  if (importer === undefined || !id.includes('/dist/')) return null;
  return { id: pathToFileURL(path.resolve(path.dirname(importer), id)).href, external: 'absolute' };
}

/** The program of several tests imports them one after the other. */
function gather(id) {
  if (!id.startsWith('test:')) return null;
  const { files } = programs.get(id.slice('test:'.length));
  return files.map((file) => `import ${JSON.stringify(path.join(root, 'test', file))};`).join('\n');
}

/** A file finds its fixtures from where its source is; what looks the same in a text is left alone. */
function inPlace(code, id) {
  if (!code.includes('import.meta.url')) return null;
  const url = JSON.stringify(pathToFileURL(id).href);
  let at = 0;
  let out = '';
  const { program } = parseSync(id, code);
  new Visitor({
    MemberExpression({ object, property, start, end }) {
      if (object.type !== 'MetaProperty' || property.name !== 'url') return;
      out += code.slice(at, start) + url;
      at = end;
    },
  }).visit(program);
  return { code: out + code.slice(at), map: null };
}

function share({ files: [file] }) {
  if (ALONE.test(file)) return CAPACITY;
  const name = /^e2e\/(.+)\.test\.ts$/.exec(file)?.[1];
  if (IMAGES.test(file)) return 2;
  // Two of them do not fit at a time.
  if (GREEDY.includes(name)) return Math.ceil((CAPACITY + 1) / 2);
  return LONG.includes(name) ? 2 : 1;
}

/** The long ones first, those that are alone last: nobody waits for a long one at the end. */
function rank(program) {
  if (ALONE.test(program.files[0])) return LONG.length + 1;
  // They add up to the longest.
  if (ONE_AT_A_TIME.test(program.files[0])) return -1;
  const index = LONG.findIndex((name) => program.files[0] === `e2e/${name}.test.ts`);
  return index === -1 ? LONG.length : index;
}

async function runAll(waiting) {
  const results = [];
  let used = 0;
  let isMachineTaken = false;
  await new Promise((resolve) => {
    const next = () => {
      for (let i = 0; i < waiting.length; ) {
        const program = waiting[i];
        const needed = share(program);
        // Who needs the whole machine waits until nobody else does.
        if (needed === CAPACITY && (used > 0 || waiting.some((other) => share(other) < CAPACITY))) {
          i += 1;
          continue;
        }
        const needsMachine = ONE_AT_A_TIME.test(program.files[0]);
        if (used + needed > CAPACITY || (needsMachine && isMachineTaken)) {
          i += 1;
          continue;
        }
        waiting.splice(i, 1);
        used += needed;
        isMachineTaken ||= needsMachine;
        run(program).then((result) => {
          used -= needed;
          if (needsMachine) isMachineTaken = false;
          results.push(result);
          report(result, results.length);
          if (waiting.length === 0 && used === 0) resolve();
          else next();
        });
      }
    };
    next();
  });
  return results;
}

function report({ ok, title, output, ms }, number) {
  if (flags.tap || !ok) console.log(`# Subtest: ${title}\n${output.replaceAll(/^(?=.)/gm, '    ').trimEnd()}`);
  console.log(`${ok ? 'ok' : 'not ok'} ${number} - ${title} # time=${Math.round(ms)}ms`);
}

function run({ name, title, files: [file] }) {
  const hangsMs = FROM_REGISTRY.test(file) ? HANGS_WITH_INSTALLATIONS_MS : HANGS_MS;
  return new Promise((resolve) => {
    const begun = performance.now();
    const child = spawn(process.execPath, ['--enable-source-maps', path.join(folder, `${name}.mjs`)], {
      cwd: root,
      env: { ...process.env, TAP_TIMEOUT: String(TIMEOUT_S) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    const hangs = setTimeout(() => {
      output += `# it did not end within ${hangsMs / 60_000} minutes\n`;
      end(child);
    }, hangsMs);
    child.once('close', (code) => {
      clearTimeout(hangs);
      children.delete(child);
      resolve({ ok: code === 0, title, output, ms: performance.now() - begun });
    });
  });
}

/** With time to end what it has started. */
function end(child) {
  child.kill('SIGTERM');
  const last = setTimeout(() => child.kill('SIGKILL'), 10_000);
  child.once('close', () => clearTimeout(last));
}

function stop() {
  for (const child of children) end(child);
  Promise.all([...children].map((child) => new Promise((resolve) => child.once('close', resolve)))).then(() =>
    process.exit(1),
  );
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}
