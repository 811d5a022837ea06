/** PM2, cluster mode, with a home of its own. Installed by npm when first needed: it is no dependency of holdfast. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serverScript } from './bare.js';
import { cacheFolder, childrenOf, claim, killWhole, makeFolder, removeFolder, run } from './launch.js';
import { freePort } from './processes.js';

const sessionsPreload = path.join(path.dirname(fileURLToPath(import.meta.url)), '../apps/sessions.cjs');

function folder() {
  return path.join(cacheFolder(), 'pm2');
}

/** @returns its name and version, or null where it cannot be had */
export async function installPm2() {
  const manifest = path.join(folder(), 'node_modules/pm2/package.json');
  if (!existsSync(manifest)) {
    mkdirSync(folder(), { recursive: true, mode: 0o700 });
    try {
      await run('npm', ['install', '--prefix', folder(), '--no-save', '--no-audit', '--no-fund', 'pm2@7']);
    } catch (error) {
      console.error(error.message);
      return null;
    }
  }
  return `PM2 ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
}

export async function startPm2({ workers, env = {} }) {
  const port = await freePort();
  const home = makeFolder('pm2-home-');
  const own = { ...env, PORT: String(port), PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' };
  // The daemon loads it; what else does starts no processes.
  own.NODE_OPTIONS = `--require ${sessionsPreload}`;
  const bin = path.join(folder(), 'node_modules/pm2/bin/pm2');
  const pm2 = (...args) => run(process.execPath, [bin, ...args], { env: own });
  const pidFile = path.join(home, 'pm2.pid');
  let daemon = null;
  try {
    await pm2('start', serverScript, '-i', String(workers), '--name', 'bench');
  } finally {
    // Also where the start failed: the daemon may be there.
    if (existsSync(pidFile)) {
      daemon = Number(readFileSync(pidFile, 'utf8'));
      claim(daemon);
    }
  }
  return {
    port,
    primary: daemon,
    workers: () => childrenOf(daemon),
    reload: () => pm2('reload', 'bench'),
    // As one types it: what the daemon loads is not for this.
    list: () => run(process.execPath, [bin, 'ls'], { env: { ...own, NODE_OPTIONS: '' } }),
    async stop() {
      await killWhole(daemon);
      removeFolder(home);
    },
  };
}
