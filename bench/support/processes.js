/** Starts what is measured, reads what the system says of it, ends it by PID. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { end, makeFolder, removeFolder, run, start } from './launch.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const server = path.join(here, '../apps/server.cjs');
const bin = path.join(here, '../../bin/holdfast.js');
const TICKS_PER_SECOND = 100;

export async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** `count` servers that share a port by themselves. */
export async function startBare(count, nodeArgs = []) {
  const port = await freePort();
  const children = [];
  const readyMs = [];
  for (let i = 0; i < count; i++) {
    const child = start(process.execPath, [...nodeArgs, server], {
      env: { ...process.env, PORT: String(port), BARE: count > 1 ? '1' : '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    readyMs.push(Number(line.split(' ')[1]));
  }
  return { port, pids: children.map((child) => child.pid), readyMs, stop: () => stopAll(children) };
}

/** The same under holdfast; `pids` begins with the supervisor. */
export async function startHoldfast(count, options = []) {
  const port = await freePort();
  const runtimeDir = makeFolder('run-');
  const child = start(
    process.execPath,
    [bin, 'start', server, '-i', String(count), '--log-format', 'json', ...options],
    {
      env: { ...process.env, PORT: String(port), HOLDFAST_RUNTIME_DIR: runtimeDir, HOLDFAST_ORPHAN_TIMEOUT: '0' },
      // Its hints for people stay away from the table.
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const pids = [child.pid];
  const readyMs = [];
  await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('holdfast did not start')));
    let started = false;
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text);
      if (line.msg === 'worker started') pids.push(line.pid);
      if (line.stream === 'stdout' && line.msg.startsWith('ready ')) readyMs.push(Number(line.msg.split(' ')[1]));
      if (line.msg === 'started') started = true;
      if (started && readyMs.length === count) resolve();
    });
  });
  return {
    port,
    pids,
    readyMs,
    async stop() {
      await stopAll([child]);
      removeFolder(runtimeDir);
    },
  };
}

/** As many requests as go, by a process of its own. @param kind `short`, `keep-alive` or `one-each` */
export async function load(port, seconds, connections, kind) {
  const args = [path.join(here, 'client.js'), ...[port, seconds, connections, kind].map(String)];
  return JSON.parse(await run(process.execPath, args));
}

/**
 * The same for as long as it is wanted: its connections stay, or follow each other without a gap. A server of which all connections
 * are closed now and then throws away at its next full garbage collection what it has compiled for them.
 */
export function startLoad(port, connections, kind) {
  const args = [path.join(here, 'client.js'), ...[port, 0, connections, kind].map(String)];
  const child = start(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const counts = async () => {
    child.stdin.write('\n');
    const { value, done } = await lines.next();
    if (done) throw new Error('the load has ended');
    return JSON.parse(value);
  };
  return {
    pid: child.pid,
    /** What has been answered within a time from now on. @throws where anything has failed meanwhile */
    async during(ms) {
      const before = await counts();
      await new Promise((resolve) => setTimeout(resolve, ms));
      const { requests, errors, seconds } = await counts();
      // Of a connection that waits while its server is stopped for a minute, Node says that the request has timed out.
      if (errors > before.errors) throw new Error(`${errors - before.errors} errors under load`);
      return { requests: requests - before.requests, seconds: seconds - before.seconds };
    },
    stop: () => end(child),
  };
}

/** Seconds of processor time that these processes have used. */
export function cpuSeconds(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

export function rssBytes(pid) {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return pages * 4096;
}

async function stopAll(children) {
  for (const child of children) await end(child);
}
