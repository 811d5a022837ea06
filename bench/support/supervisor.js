/** A supervisor under the eye of a benchmark: what it says, costs and holds. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { endGently, launch, makeFolder, removeFolder, run } from './launch.js';
import { freePort } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));
export const serverScript = path.join(here, '../apps/server.cjs');
export const bin = path.join(here, '../../bin/holdfast.js');

/** Resolves when the workers are ready for the first time. */
export async function startSupervisor(workers, { args = [], env = {}, nodeArgs = [] } = {}) {
  const port = await freePort();
  const runtimeDir = makeFolder('run-');
  // Whoever is killed leaves nobody behind.
  const own = { ...env, PORT: String(port), HOLDFAST_RUNTIME_DIR: runtimeDir, HOLDFAST_ORPHAN_TIMEOUT: '0' };
  const words = [...nodeArgs, bin, 'start', serverScript, '--name', 'bench', '-i', String(workers)];
  const begun = performance.now();
  const { child, until, complaint } = launch(
    process.execPath,
    [...words, '--trial', '0', '--log-format', 'json', ...args],
    own,
  );
  await until((line) => line.includes('"msg":"started"'));
  const startedMs = performance.now() - begun;
  const socketPath = path.join(runtimeDir, 'bench.sock');
  return {
    port,
    pid: child.pid,
    startedMs,
    until,
    command: (...more) => run(process.execPath, [bin, ...more], { env: { HOLDFAST_RUNTIME_DIR: runtimeDir } }),
    /** Evaluates an expression in it, where it was started with `--inspect`. */
    inspector: async (expression) => evaluate(complaint(), expression),
    status: async () => JSON.parse(await control(socketPath, 'GET', '/status')),
    /** @returns how long it took, in ms */
    async reload() {
      const from = performance.now();
      const answer = await control(socketPath, 'POST', '/reload');
      if (!/"ok":true/.test(answer)) throw new Error(`a reload failed: ${answer}`);
      return performance.now() - from;
    },
    async stop() {
      await endGently(child);
      removeFolder(runtimeDir);
    },
  };
}

async function control(socketPath, method, url) {
  const request = http.request({ socketPath, method, path: url, agent: false }).end();
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

async function evaluate(stderr, expression) {
  const [url] = /ws:\S+/.exec(stderr) ?? [];
  if (url === undefined) throw new Error('it has no inspector');
  const socket = new WebSocket(url);
  await once(socket, 'open');
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  const [{ data }] = await once(socket, 'message');
  socket.close();
  return JSON.parse(data).result.result.value;
}

/** What is its own, in MB: pages that it shares with nobody. */
export function privateMb(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kb = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)].reduce((sum, [, one]) => sum + Number(one), 0);
  return kb / 1024;
}

/** Processor time of all its threads so far, in ms: finer than the ticks of /proc/PID/stat. */
export function cpuMs(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return (
    threads.reduce((sum, one) => sum + Number(readText(`/proc/${pid}/task/${one}/schedstat`).split(' ')[0]), 0) / 1e6
  );
}

export function openFiles(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Once the server answers; asks again and again, each time over a new connection. @returns ms since `begun` */
export async function firstAnswer(port, begun, refused = () => {}) {
  for (;;) {
    const code = await attempt(port);
    if (code === null) return performance.now() - begun;
    refused(code);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** null for an answer, else what went wrong. Without an HTTP client: who starts shares its processors with who asks. */
function attempt(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
    });
    let wrong = 'an end without an answer';
    socket.once('data', () => {
      wrong = null;
    });
    socket.once('error', (error) => {
      wrong = error.code ?? error.message;
    });
    socket.once('close', () => resolve(wrong));
  });
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A thread that has just ended.
    return '0';
  }
}
