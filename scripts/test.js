// Runs the tests: compiled all at once and run by plain Node, side by side as far as the machine bears. Under tap's own runner
// each file loads a compiler and a tracer of its own, more than a second of work for tests of some milliseconds; they are tap's
// tests all the same, and `npx tap FILE` runs one as well.
//
//   node scripts/test.js [--unit] [--tap] [WORD...] [--node PROGRAM WORD...]...
//
// Words pick files by their path. `--unit`: only those that start no program. `--tap`: all assertions, not only those of
// files that failed. Those that the words after a `--node` pick are run by that Node, beside the others.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseSync } from 'rolldown/utils';
import { bundleTap, compile } from './test-compile.js';
import { gathered, inOrder, isUnit, nextProgram } from './test-plan.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: flags, tokens } = parseArgs({
  options: { unit: { type: 'boolean' }, tap: { type: 'boolean' }, node: { type: 'string', multiple: true } },
  allowPositionals: true,
  tokens: true,
});

/** They install programs from the registry: they run where a word names them. */
const FROM_REGISTRY = /^programs\/(?!table\.)/;
/** What may run at a time, in shares of the machine: most tests wait most of the time. */
const SHARES = os.availableParallelism() * 2 + 1;
/** And while the processors are idle for this part of the time: what waits most is not to be known before. */
const SHARES_WHILE_IDLE = 2 * SHARES;
const MUCH_IDLE = 0.15;
/** So long it takes until what has been started keeps them as busy as it will. */
const LOOK_MS = 1_000;
/** Of one file, unless it sets its own, in seconds. */
const TIMEOUT_S = 480;
/** Whatever it sets: it hangs. Frameworks take minutes to be installed and built. */
const HANGS_MS = 22 * 60_000;
const HANGS_WITH_INSTALLATIONS_MS = 30 * 60_000;

const MS_PER_TICK = 10;
/** Of those that have ended, as far as it has been told. */
let countedMs = 0;

/** Of the files below `test` that have been looked at. */
const imports = new Map();

const allTests = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .sort();
const runs = selections().map(({ node, words }, at) => {
  const files = pick(words);
  if (files.length === 0) {
    console.error(`cannot run ${words.join(', ')}: no such test. Give a part of a path, such as test/core`);
    process.exit(2);
  }
  const suffix = node === process.execPath ? '' : `, Node ${versionOf(node)}`;
  return [...gathered(files).values()].map((program) => ({
    ...program,
    ...{ node, name: `${program.name}-${at}`, title: `${program.title}${suffix}` },
  }));
});
const programs = new Map(runs.flat().map((program) => [program.name, program]));

const folder = mkdtempSync(path.join(root, 'test/.compiled-'));
const children = new Set();
/** Somebody has had enough: nothing more is started. */
let isStopping = false;
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop());

await Promise.all([compile(programs, folder), bundleTap(folder)]);
const begun = performance.now();
const results = await runAll(inOrder(programs.values()));
const failed = results.filter(({ ok }) => !ok);
console.log(`1..${results.length}`);
const tookS = seconds(performance.now() - begun);
console.log(
  `# ${runs.flat().reduce((sum, { files }) => sum + files.length, 0)} files in ${results.length} processes, ${tookS} s, ${seconds(countedMs)} s of processor time`,
);
for (const { title } of failed) console.log(`# failed: ${title}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** The words, and the Node that is to run what they pick, in the order in which they were given. */
function selections() {
  const found = [{ node: process.execPath, words: [] }];
  for (const { kind, name, value } of tokens) {
    if (kind === 'positional') found.at(-1).words.push(value);
    if (kind === 'option' && name === 'node')
      found.push({ node: value.includes('/') ? path.resolve(value) : value, words: [] });
  }
  const withoutWords = found.find(({ words }, at) => at > 0 && words.length === 0);
  if (withoutWords !== undefined) {
    console.error(`cannot run nothing with ${withoutWords.node}: give words that pick tests after it`);
    process.exit(2);
  }
  // All of them, unless other ones are to run some.
  if (found.length > 1 && found[0].words.length === 0) found.shift();
  return found;
}

function versionOf(node) {
  try {
    return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  } catch (error) {
    console.error(`cannot run ${node}: ${error.message}. Give --node the path of a Node`);
    process.exit(2);
  }
}

function pick(words) {
  return allTests
    .filter((file) => !flags.unit || isUnit(file, importsOf))
    .filter((file) => words.length > 0 || !FROM_REGISTRY.test(file))
    .filter((file) => words.length === 0 || words.some((word) => `test/${file}`.includes(word)));
}

/** What a file below `test` imports, as it says it; undefined where there is no such file. Many import the same. */
function importsOf(file) {
  if (!imports.has(file)) {
    const source = path.join(root, 'test', file);
    const { staticImports } = existsSync(source) ? parseSync(source, readFileSync(source, 'utf8')).module : {};
    imports.set(
      file,
      staticImports?.map(({ moduleRequest }) => moduleRequest.value),
    );
  }
  return imports.get(file);
}

async function runAll(waiting) {
  const results = [];
  const running = new Set();
  await new Promise((resolve) => {
    /** Starts what fits, at most so many. */
    const next = (shares, most) => {
      if (isStopping) return;
      for (let started = 0; started < most; started++) {
        const program = nextProgram(waiting, [...running], shares);
        if (program === undefined) break;
        waiting.splice(waiting.indexOf(program), 1);
        running.add(program);
        run(program).then((result) => {
          running.delete(program);
          results.push(result);
          report(result, results.length);
          next(SHARES, waiting.length);
        });
      }
      if (waiting.length > 0 || running.size > 0) return;
      clearInterval(looks);
      resolve();
    };
    let before = processorTimes();
    const looks = setInterval(() => {
      const now = processorTimes();
      const isMuchIdle = now.idle - before.idle > MUCH_IDLE * (now.all - before.all);
      before = now;
      // One at a time: what it takes is seen at the next look.
      if (isMuchIdle) next(SHARES_WHILE_IDLE, 1);
    }, LOOK_MS);
    next(SHARES, waiting.length);
  });
  return results;
}

/** Of all processors together, in milliseconds since the machine has started. */
function processorTimes() {
  const times = os.cpus().map((cpu) => cpu.times);
  const sum = (kinds) => times.reduce((total, one) => total + kinds(one).reduce((a, b) => a + b, 0), 0);
  return { idle: sum(({ idle }) => [idle]), all: sum(Object.values) };
}

function report({ ok, title, output, ms, cpuMs }, number) {
  if (flags.tap || !ok) console.log(`# Subtest: ${title}\n${output.replaceAll(/^(?=.)/gm, '    ').trimEnd()}`);
  console.log(`${ok ? 'ok' : 'not ok'} ${number} - ${title} # time=${Math.round(ms)}ms cpu=${cpuMs}ms`);
}

function run({ node, name, title, files: [file] }) {
  const hangsMs = FROM_REGISTRY.test(file) ? HANGS_WITH_INSTALLATIONS_MS : HANGS_MS;
  return new Promise((resolve) => {
    const begun = performance.now();
    const child = spawn(node, ['--enable-source-maps', path.join(folder, `${name}.mjs`)], {
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
    child.once('error', (error) => {
      output += `# it could not be started: ${error.message}\n`;
    });
    let cpuMs = 0;
    child.once('exit', () => {
      const all = endedMs();
      cpuMs = all - countedMs;
      countedMs = all;
    });
    child.once('close', (code) => {
      clearTimeout(hangs);
      children.delete(child);
      resolve({ ok: code === 0, title, output, ms: performance.now() - begun, cpuMs });
    });
  });
}

/** Processor time of all programs that have ended, with that of what they have started and waited for; 0 where nobody tells. */
function endedMs() {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
  } catch {
    return 0;
  }
}

/** With time to end what it has started. */
function end(child) {
  child.kill('SIGTERM');
  const last = setTimeout(() => child.kill('SIGKILL'), 10_000);
  child.once('close', () => clearTimeout(last));
}

function stop() {
  isStopping = true;
  for (const child of children) end(child);
  Promise.all([...children].map((child) => new Promise((resolve) => child.once('close', resolve)))).then(() =>
    process.exit(1),
  );
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}
