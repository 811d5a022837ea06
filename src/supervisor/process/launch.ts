/**
 * From a configuration to a supervisor, in the order that lets the first worker begin early: it boots beside the loading of
 * the supervisor, the probing of the machine and the opening of the control socket. Imports little, for that reason.
 */
import type { ExitCode } from '../../errors.js';
import { takeServiceEnvironment } from '../../systemd/environment.js';
import { forkFirstWorker } from '../workers/process/first-worker.js';
import type { RunOptions } from './run.js';

/**
 * Runs a supervisor until it has stopped.
 *
 * @returns 0 after a stop that was asked for
 * @throws HoldfastError where it cannot start
 */
export async function launchSupervisor(options: Omit<RunOptions, 'environment' | 'firstWorker'>): Promise<ExitCode> {
  // Taken out of the environment before anything is started with it.
  const environment = takeServiceEnvironment(process.env, process.pid);
  const { loaded, runtimeDir } = options;
  const { arrival } = options;
  // The workers of the program before this one are there.
  const firstWorker = arrival ? null : await forkFirstWorker({ config: loaded.config, runtimeDir, environment });
  try {
    const { runSupervisor } = await import('./run.js');
    return await runSupervisor({ ...options, environment, firstWorker });
  } finally {
    firstWorker?.discard();
  }
}
