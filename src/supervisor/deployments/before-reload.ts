/** The owner's command before a reload, `beforeReload`: what it says decides whether the reload begins. */
import type { Log } from '../../logs/logger.js';
import type { Progress } from '../requests.js';
import { runHook } from './hook.js';
import type { Release } from './release.js';

export interface BeforeReload {
  readonly progress: Progress;
  readonly log: Log;
  /** Ends the command early: see `HookOptions`. */
  readonly signal: AbortSignal;
}

/** @throws when the command does not end well */
export async function beforeReload({ config, cwd }: Release, { progress, log, signal }: BeforeReload): Promise<void> {
  const { beforeReload: command, beforeReloadTimeoutMs: timeoutMs } = config;
  if (command === null) return;
  progress({ type: 'progress', message: 'beforeReload', fields: { command } });
  const env = { ...process.env, ...config.env };
  const result = await runHook({ name: 'beforeReload', command, cwd, env, timeoutMs, log, signal });
  if (!result.ok) throw new Error(`the reload did not begin: ${result.reason}`);
}
