/** What is done to a contender, and what comes out. Each load generator is a process of its own. */
import path from 'node:path';
import readline from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { end, pause, run, start } from './launch.js';
import { cpuSeconds, load } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));

/** As many requests as go. @param kind `short` or `keep-alive` */
export async function throughput(contender, { seconds, connections, kind }) {
  const pids = [contender.primary, ...contender.workers()].filter(Boolean);
  const before = cpuSeconds(pids);
  const { requests, errors, seconds: took } = await load(contender.port, seconds, connections, kind);
  return { rate: requests / took, cpuMicros: ((cpuSeconds(pids) - before) / requests) * 1e6, errors };
}

/** A fixed rate of new connections, beside which requests block their workers. Latencies in ms. */
export function tail({ port }, { seconds, rate, blockMs = 0, blockEveryMs = 0 }) {
  return generate('tail-client.js', [port, seconds, rate, blockMs, blockEveryMs]);
}

/** Clients that connect anew for each request; one request in `blockEvery` blocks its worker. Latencies in ms. */
export async function closedLoop({ port }, { seconds, clients, blockMs = 0, blockEvery = 0 }) {
  const found = await generate('closed-client.js', [port, seconds, clients, blockMs, blockEvery]);
  return { ...found, rate: found.requests / found.seconds };
}

/**
 * Connections that stay, and connect anew where they are cut off: `count` of them see a reload, then `more` come, one
 * every `everyMs`.
 *
 * @returns how many each worker has, by PID, and errors: at first, after the reload, and in the end
 */
export async function hold(contender, { count, more, everyMs }) {
  const args = [path.join(here, 'hold-client.js'), ...[contender.port, count, more, everyMs].map(String)];
  const client = start(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = readline.createInterface({ input: client.stdout })[Symbol.asyncIterator]();
    const say = async (word) => {
      client.stdin.write(`${word}\n`);
      return JSON.parse((await lines.next()).value);
    };
    const first = await say('count');
    await contender.reload();
    await pause(500);
    const reloaded = await say('count');
    return { first, reloaded, last: await say('more') };
  } finally {
    await end(client, 'SIGKILL');
  }
}

/** Clients that see loss, while `meanwhile` happens; its answer is `result`. */
export async function loss({ port }, { fresh, kept }, meanwhile) {
  const args = [path.join(here, 'loss-client.js'), ...[port, fresh, kept].map(String)];
  const client = start(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const told = text(client.stdout);
  try {
    await pause(500);
    const result = await meanwhile();
    await pause(500);
    client.stdin.end();
    return { ...JSON.parse(await told), result };
  } finally {
    await end(client, 'SIGKILL');
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

/** kill -9 of some worker each second. */
export async function kills(contender, times) {
  for (let i = 0; i < times; i++) {
    const pids = contender.workers();
    process.kill(pids[Math.floor(Math.random() * pids.length)], 'SIGKILL');
    await pause(1_000);
  }
}

async function generate(script, args) {
  return JSON.parse(await run(process.execPath, [path.join(here, script), ...args.map(String)]));
}
