/** What is done to a contender, and what comes out. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpuSeconds, load } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);

/** As many requests as go. @param kind `short` or `keep-alive` */
export async function throughput(contender, { seconds, connections, kind }) {
  const pids = [contender.primary, ...contender.workers()].filter(Boolean);
  const before = cpuSeconds(pids);
  const { requests, errors, seconds: took } = await load(contender.port, seconds, connections, kind);
  return { rate: requests / took, cpuMicros: ((cpuSeconds(pids) - before) / requests) * 1e6, errors };
}

/** A fixed rate of new connections, beside which requests block their workers. */
export async function tail(contender, { seconds, rate, blockMs = 0, blockEveryMs = 0 }) {
  const args = [contender.port, seconds, rate, blockMs, blockEveryMs].map(String);
  const { stdout } = await run(process.execPath, [path.join(here, 'tail-client.js'), ...args], { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout);
}

/** Clients that see loss, while `meanwhile` happens. */
export async function loss(contender, { fresh, keepAlive }, meanwhile) {
  const args = [path.join(here, 'loss-client.js'), ...[contender.port, fresh, keepAlive].map(String)];
  const client = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const told = text(client.stdout);
  try {
    await pause(500);
    const result = await meanwhile();
    await pause(500);
    client.stdin.end();
    return { ...JSON.parse(await told), result };
  } finally {
    if (client.exitCode === null) {
      client.kill('SIGKILL');
      await once(client, 'exit').catch(() => {});
    }
  }
}

/** @returns the milliseconds that each reload took */
export async function reloads(contender, times) {
  const tookMs = [];
  for (let i = 0; i < times; i++) {
    const begin = performance.now();
    await contender.reload();
    tookMs.push(performance.now() - begin);
  }
  return tookMs;
}

/** kill -9 of a worker each second, each time another one. */
export async function kills(contender, times) {
  for (let i = 0; i < times; i++) {
    const pids = contender.workers();
    process.kill(pids[i % pids.length], 'SIGKILL');
    await pause(1_000);
  }
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
