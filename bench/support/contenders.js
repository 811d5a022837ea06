/**
 * Everybody who runs the same application on one port.
 *
 * `start({ workers, env })` gives { port, primary, workers(), reload(), stop() }: `primary` is the PID of who supervises, or
 * null; `workers` their PIDs at the moment; `reload` replaces all of them and resolves when that is done. `prepare` gives
 * name and version of software that is not ours, or null where it cannot be had. Who is killed comes back by itself.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serverScript, startBare } from './bare.js';
import { findHaproxy, startHaproxy } from './haproxy.js';
import { childrenOf, end, launch, makeFolder, removeFolder, run } from './launch.js';
import { installPm2, startPm2 } from './pm2.js';
import { freePort } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const clusterScript = path.join(here, '../apps/cluster.cjs');
const sessionsPreload = path.join(here, '../apps/sessions.cjs');
const bin = path.join(here, '../../bin/holdfast.js');
const { version } = createRequire(import.meta.url)('../../package.json');
const [major, minor] = process.versions.node.split('.').map(Number);
const hasReusePort = major > 22 || (major === 22 && minor >= 12);

export const CONTENDERS = {
  bare: {
    title: 'bare processes with `reusePort`',
    start: startBare,
    prepare: () => (hasReusePort ? '' : null),
  },
  holdfast: holdfast('holdfast', []),
  'holdfast-reuseaddr': holdfast('holdfast, `reuseaddr`', ['--listen-mode', 'reuseaddr']),
  'holdfast-observed': holdfast('holdfast, `reuseaddr`, observed', ['--listen-mode', 'reuseaddr'], true),
  'holdfast-unsteered': holdfast('holdfast, unsteered', ['--listen-mode', 'reuseport', '--steering', 'off']),
  'holdfast-reuseport': holdfast('holdfast, steered', ['--listen-mode', 'reuseport']),
  'round-robin': { title: 'node:cluster, round robin', start: (options) => startCluster(options, 'rr') },
  'shared-handle': { title: 'node:cluster, shared handle', start: (options) => startCluster(options, 'shared') },
  pm2: { title: 'PM2', start: startPm2, prepare: installPm2 },
  haproxy: { title: 'HAProxy (leastconn) before bare processes', start: startHaproxy, prepare: findHaproxy },
};

/**
 * Leaves out, with a note, who cannot take part here.
 *
 * @param wanted names, as in CONTENDERS
 * @returns the names that are left, and the versions to print
 */
export async function takePart(wanted) {
  const unknown = wanted.filter((name) => CONTENDERS[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(`cannot measure ${unknown.join(', ')}: contenders are ${Object.keys(CONTENDERS).join(', ')}`);
  }
  const names = [];
  const versions = new Set();
  for (const name of wanted) {
    const { prepare, title } = CONTENDERS[name];
    const found = prepare === undefined ? '' : await prepare();
    if (found === null) {
      console.error(`${title} cannot be had here and is left out`);
      continue;
    }
    names.push(name);
    if (found !== '') versions.add(found);
  }
  return { names, versions: [...versions] };
}

function holdfast(title, options, isObserved = false) {
  return { title, start: (how) => startHoldfast(how, options, isObserved), prepare: () => `holdfast ${version}` };
}

async function startHoldfast({ workers, env = {} }, given, isObserved) {
  const port = await freePort();
  const options = isObserved ? [...given, '--admin', String(await freePort())] : given;
  const runtimeDir = makeFolder('run-');
  // Whoever is killed leaves nobody behind.
  const own = { ...env, PORT: String(port), HOLDFAST_RUNTIME_DIR: runtimeDir, HOLDFAST_ORPHAN_TIMEOUT: '0' };
  const args = [bin, 'start', serverScript, '-i', String(workers), '--trial', '0', '--log-format', 'json', ...options];
  const { child, until } = launch(process.execPath, args, own);
  await until((line) => line.includes('"msg":"started"'));
  return {
    port,
    primary: child.pid,
    workers: () => childrenOf(child.pid),
    reload: () => run(process.execPath, [bin, 'reload'], { env: own }),
    async stop() {
      await end(child);
      removeFolder(runtimeDir);
    },
  };
}

async function startCluster({ workers, env = {} }, policy) {
  const port = await freePort();
  const own = { ...env, PORT: String(port), WORKERS: String(workers), POLICY: policy };
  const { child, until } = launch(process.execPath, ['--require', sessionsPreload, clusterScript], own);
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
