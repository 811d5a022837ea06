/**
 * holdfast installed in the application's own folder: its files may be removed, or replaced by another version's, while the
 * supervisor runs. What is still needed is kept, or loaded now, and the owner is told where it is at home.
 */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Log } from '../../logs/logger.js';
import { usage } from '../../monitor/usage.js';
import { isWithinApplication, keepProgram, ownRoot } from '../../platform/own-program.js';
import type { Release } from '../deployments/release.js';
import { loadObserver } from '../observe/observing.js';

/**
 * Has read what it needs when it returns: the release may be removed as soon as anybody hears that it runs.
 *
 * @returns gives up what is kept. Never rejects
 */
export async function keepOwnProgram(
  { config, script, cwd }: Release,
  runtimeDir: string,
  log: Log,
): Promise<() => void> {
  try {
    const root = ownRoot();
    if (!isWithinApplication(root, script)) return () => {};
    const letGo = keepProgram(path.join(realpathSync(runtimeDir), `${config.name}.program`));
    const named = path.dirname(path.resolve(config.cwd, config.script));
    // A link leads to the release: it will be moved to the next one, and this one be removed some day.
    const isMoved = config.cwd !== cwd || realpathSync(named) !== named;
    await loadTheRest();
    if (isMoved) {
      const hint =
        'reloads go on with what has been kept of it; install it in a fixed place: npm install --global holdfast';
      log.logger.warn({ installation: root, hint }, 'holdfast is installed inside the release');
    }
    return letGo;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = 'do not remove or replace it while this supervisor runs';
    log.logger.warn({ reason, hint }, 'cannot keep the installation of holdfast open');
    return () => {};
  }
}

/** What else waits until somebody asks for it. What is not installed is told when it is asked for. */
async function loadTheRest(): Promise<void> {
  await usage([process.pid]);
  await loadObserver();
}
