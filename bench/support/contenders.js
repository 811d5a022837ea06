/**
 * Everybody who runs the same application on one port: starts them, replaces their workers, ends them by PID.
 *
 * Each is { name, port, primary, workers(), reload(), stop() }; `primary` is null where nobody supervises.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const server = path.join(here, '../apps/server.cjs');
const clusterApp = path.join(here, '../apps/cluster.cjs');
const bin = path.join(here, '../../bin/holdfast.js');
const run = promisify(execFile);
const temporary = path.join(os.tmpdir(), 'holdfast-bench');
const started = new Set();
/** What a worker has to end by itself in a reload: PM2's default. */
const PATIENCE_MS = 1_600;

export const CONTENDERS = {
  bare: { title: 'bare processes with `reusePort`', start: startBare },
  holdfast: { title: 'holdfast', start: (options) => startHoldfast(options, []) },
  'holdfast-reuseaddr': {
    title: 'holdfast, `reuseaddr`',
    start: (options) => startHoldfast(options, ['--listen-mode', 'reuseaddr']),
  },
  'holdfast-unsteered': {
    title: 'holdfast, `reuseport`, steering off',
    start: (options) => startHoldfast(options, ['--listen-mode', 'reuseport', '--steering', 'off']),
  },
  'holdfast-reuseport': {
    title: 'holdfast, `reuseport`, steered',
    start: (options) => startHoldfast(options, ['--listen-mode', 'reuseport']),
  },
  'round-robin': { title: 'node:cluster, round robin', start: (options) => startCluster(options, 'rr') },
  'shared-handle': { title: 'node:cluster, shared handle', start: (options) => startCluster(options, 'shared') },
  pm2: { title: 'PM2', start: startPm2, prepare: installPm2 },
  haproxy: { title: 'HAProxy (leastconn) before bare processes', start: startHaproxy, prepare: findHaproxy },
};

/** What is still running when the benchmark is cut off goes with it. */
process.once('exit', () => {
  for (const pid of [...started].flatMap((one) => [one, ...childrenOf(one)])) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has gone by itself.
    }
  }
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

export function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Lines of standard output, as they come; `until` resolves with the first that fits. */
function launch(command, args, env, options = {}) {
  // A session of its own: the kernel shares the processors by session where no cgroup does (sched_autogroup).
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
    ...options,
  });
  started.add(child.pid);
  const lines = [];
  const waiting = new Set();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const until = (fits) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = lines.findIndex(fits);
        if (found < 0) return;
        waiting.delete(look);
        resolve(lines.splice(0, found + 1).at(-1));
      };
      waiting.add(look);
      child.once('exit', (code) => reject(new Error(`${command} ${args[0]} ended with ${code}`)));
      look();
    });
  return { child, until };
}

async function end(child, signal = 'SIGTERM') {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  started.delete(child.pid);
}

async function startBare({ workers, env = {}, port: given }) {
  const port = given ?? (await freePort());
  const one = async () => {
    const worker = launch(process.execPath, [server], { ...env, PORT: String(port), BARE: '1' });
    await worker.until((line) => line.startsWith('ready'));
    worker.child.once('exit', (_code, signal) => {
      // Somebody would have to replace what was killed: systemd, for one.
      if (signal === 'SIGKILL' && !stopped) void one().then((fresh) => all.splice(all.indexOf(worker), 1, fresh));
    });
    return worker;
  };
  let stopped = false;
  const all = [];
  for (let i = 0; i < workers; i++) all.push(await one());
  return {
    port,
    primary: null,
    workers: () => all.map(({ child }) => child.pid),
    async reload() {
      for (const [i, old] of [...all].entries()) {
        all[i] = await one();
        // As long as clients go on asking over their connections it does not end by itself; the second signal does it.
        const force = setTimeout(() => old.child.kill('SIGTERM'), PATIENCE_MS);
        await end(old.child);
        clearTimeout(force);
      }
    },
    async stop() {
      stopped = true;
      for (const { child } of all) await end(child, 'SIGKILL');
    },
  };
}

async function startHoldfast({ workers, env = {} }, options) {
  const port = await freePort();
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  const runtimeDir = mkdtempSync(path.join(temporary, 'run-'));
  const own = { ...env, PORT: String(port), HOLDFAST_RUNTIME_DIR: runtimeDir };
  const args = [bin, 'start', server, '-i', String(workers), '--log-format', 'json', '--backoff-base', '10ms'];
  const { child, until } = launch(process.execPath, [...args, '--backoff-max', '10ms', ...options], own);
  await until((line) => line.includes('"msg":"started"'));
  return {
    port,
    primary: child.pid,
    workers: () => childrenOf(child.pid),
    reload: () => run(process.execPath, [bin, 'reload'], { env: { ...process.env, ...own } }),
    async stop() {
      await end(child);
      rmSync(runtimeDir, { recursive: true, force: true });
    },
  };
}

async function startCluster({ workers, env = {} }, policy) {
  const port = await freePort();
  const own = { ...env, PORT: String(port), WORKERS: String(workers), POLICY: policy };
  const { child, until } = launch(process.execPath, [clusterApp], own);
  const isUp = (line) => line.startsWith('up ');
  await until(isUp);
  return {
    port,
    primary: child.pid,
    workers: () => childrenOf(child.pid),
    async reload() {
      child.kill('SIGHUP');
      await until(isUp);
    },
    stop: () => end(child),
  };
}

const pm2Bin = path.join(temporary, 'pm2/node_modules/pm2/bin/pm2');

/** @returns its version, or null where it cannot be had */
function installPm2() {
  try {
    if (!existsSync(pm2Bin)) {
      mkdirSync(path.join(temporary, 'pm2'), { recursive: true });
      execFileSync('npm', ['install', '--prefix', path.join(temporary, 'pm2'), '--no-save', 'pm2@7'], {
        stdio: 'ignore',
      });
    }
    const manifest = path.join(temporary, 'pm2/node_modules/pm2/package.json');
    return `PM2 ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
  } catch {
    return null;
  }
}

async function startPm2({ workers, env = {} }) {
  const port = await freePort();
  const home = mkdtempSync(path.join(temporary, 'pm2-home-'));
  const own = { ...process.env, ...env, PORT: String(port), PM2_HOME: home };
  const pm2 = (...args) => run(process.execPath, [pm2Bin, ...args], { env: own });
  await pm2('start', server, '-i', String(workers), '--name', 'bench');
  const daemon = Number(readFileSync(path.join(home, 'pm2.pid'), 'utf8'));
  started.add(daemon);
  return {
    port,
    primary: daemon,
    workers: () => childrenOf(daemon),
    reload: () => pm2('reload', 'bench'),
    async stop() {
      await pm2('kill');
      started.delete(daemon);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function findHaproxy() {
  try {
    const version = /version ([\d.]+)/.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' }))?.[1];
    return version === undefined ? null : `HAProxy ${version}`;
  } catch {
    return null;
  }
}

/** Each process on a port of its own behind it; it is reloaded by other means than ours, so that is not measured. */
async function startHaproxy({ workers, env = {} }) {
  const backends = [];
  for (let i = 0; i < workers; i++) backends.push(await startBare({ workers: 1, env }));
  const port = await freePort();
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  const file = path.join(mkdtempSync(path.join(temporary, 'haproxy-')), 'haproxy.cfg');
  const servers = backends.map((backend, i) => `  server s${i} 127.0.0.1:${backend.port}`).join('\n');
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  balance leastconn
${servers}
`,
  );
  const { child } = launch('haproxy', ['-db', '-f', file], {});
  await reachable(port);
  return {
    port,
    primary: child.pid,
    workers: () => backends.flatMap((backend) => backend.workers()),
    reload: null,
    async stop() {
      await end(child);
      for (const backend of backends) await backend.stop();
      rmSync(path.dirname(file), { recursive: true, force: true });
    },
  };
}

async function reachable(port) {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
