/**
 * Starts processes and makes folders for a benchmark, and sees that none of them outlives it: whatever is left when the
 * benchmark ends, fails or is interrupted is ended by PID. Nothing in bench/ starts a process that lasts by other means.
 */
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** What a process has to end by itself after SIGTERM, as with PM2's `kill_timeout`. */
const PATIENCE_MS = 1_600;
const COMPLAINT_LENGTH = 2_000;
const running = new Set();
const folders = new Set();

process.once('exit', () => {
  // The children first: they are found by way of their parents.
  for (const pid of [...running].flatMap((one) => [one, ...childrenOf(one)])) kill(pid);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(128 + os.constants.signals[signal]));
}

/** @returns PIDs, in the order in which they were started; none if the process has gone */
export function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Like `spawn`, in a session of its own: the kernel shares the processors by session (sched_autogroup). */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { detached: true, ...options });
  if (child.pid !== undefined) {
    running.add(child.pid);
    // Its PID may be somebody else's from now on.
    child.once('exit', () => running.delete(child.pid));
  }
  return child;
}

/** A process that is not a child of the benchmark but belongs to it; `killWhole` gives it up again. */
export function claim(pid) {
  running.add(pid);
}

/** Kills a process that was claimed, with its children, and waits until it has gone. */
export async function killWhole(pid) {
  for (const one of [pid, ...childrenOf(pid)]) kill(one);
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  running.delete(pid);
}

/**
 * A process that tells on standard output how it is doing. `until` resolves with the first line that fits; `complaint` is what
 * standard error has had last.
 */
export function launch(command, args, env) {
  const child = start(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const news = new EventEmitter();
  // Read all the time, so that nobody waits for the pipe; told only where the start fails.
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-COMPLAINT_LENGTH);
  });
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    news.emit('some');
  });
  child.once('exit', () => news.emit('some'));
  const until = async (fits) => {
    for (;;) {
      const found = lines.findIndex(fits);
      if (found >= 0) return lines.splice(0, found + 1).at(-1);
      if (hasEnded(child))
        throw new Error(`cannot run ${command} ${args[0]}: it ended with ${how(child)}\n${complaint}`);
      await once(news, 'some');
    }
  };
  return { child, until, complaint: () => complaint };
}

/** Runs a program to its end. @returns what it wrote to standard output */
export async function run(command, args, { env = {}, timeoutMs = 120_000 } = {}) {
  const child = start(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const [[code], output, complaint] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]).finally(() => clearTimeout(timer));
  if (code !== 0) throw new Error(`cannot run ${command} ${args[0]}: it ended with ${how(child)}\n${complaint}`);
  return output;
}

export async function end(child, signal = 'SIGTERM') {
  if (hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

/** SIGTERM, and SIGKILL for who has not ended by then: clients may keep their connections for ever. */
export async function endGently(child) {
  const force = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await end(child).finally(() => clearTimeout(force));
}

/** The folder of all benchmarks, for what may stay: nobody else's, since programs are run from it. */
export function cacheFolder() {
  const folder = path.join(os.tmpdir(), 'holdfast-bench');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder).uid !== process.getuid()) {
    throw new Error(`cannot use ${folder}: it belongs to somebody else; set TMPDIR to a folder of your own`);
  }
  return folder;
}

/** A folder that goes with the benchmark, unless `removeFolder` removes it before. */
export function makeFolder(prefix) {
  const folder = mkdtempSync(path.join(cacheFolder(), prefix));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function hasEnded(child) {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function how(child) {
  return child.signalCode ?? `code ${child.exitCode}`;
}

/** Who is dead but not yet waited for by its parent does not count: in a container nobody may ever do that. */
function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone by itself.
  }
}
