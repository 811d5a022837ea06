/** Begins this very process anew without what NODE_OPTIONS preloads for the applications. Loaded only where there is something. */
import { replaceProcess } from '../../platform/replace-process.js';
import { plainEnvironment } from './node-options.js';

/** Returns where that cannot be done: then the process goes on as it is, only larger. */
export function becomePlain(): void {
  const env = plainEnvironment(process.env);
  // A channel to a parent that is Node would not survive.
  if (env === null || process.connected) return;
  // Sockets that a service manager passes: sd_listen_fds(3).
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  const passed = LISTEN_PID === String(process.pid) && /^\d{1,4}$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0;
  replaceProcess([process.execPath, ...process.execArgv, ...process.argv.slice(1)], env, passed);
}
