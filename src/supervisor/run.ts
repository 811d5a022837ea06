/**
 * One supervisor from its start to its end: probes the machine, opens the control socket, starts the workers.
 */
import { readFileSync } from 'node:fs';
import type { LoadedConfig } from '../config/load.js';
import { ControlServer } from '../control/server.js';
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';
import { createLog } from '../logs/logger.js';
import { loadNative } from '../native/libc.js';
import { chooseListenMode, chooseSteering } from '../platform/mode.js';
import { probe } from '../platform/probe.js';
import { Custody } from '../sockets/custody.js';
import { resolveRelease } from './release.js';
import { handleSignals } from './signals.js';
import { type Started, Supervisor } from './supervisor.js';
import { openTriggers } from './triggers.js';

export interface RunOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration anew, from the same sources. */
  readonly reloadConfig: () => Promise<LoadedConfig>;
  readonly runtimeDir: string;
  /** Told once, when the workers are ready. */
  readonly onStarted?: (started: Started) => void;
}

/**
 * Runs a supervisor until it has stopped.
 *
 * @returns 0 after a stop that was asked for
 * @throws HoldfastError where it cannot start: an address is taken, the application does not get up, a supervisor of
 *   this name runs
 */
export async function runSupervisor(options: RunOptions): Promise<ExitCode> {
  const { config, warnings } = options.loaded;
  const log = createLog(config);
  const native = loadNative();
  try {
    for (const warning of warnings) log.logger.warn({ warning }, 'configuration');
    const release = await resolveRelease(1, config);
    const capabilities = await probe(native);
    const { mode, how, reason } = chooseListenMode(config, capabilities);
    const steering = chooseSteering(config, { mode, reason }, capabilities);
    const { steered } = steering;
    const version = ownVersion();
    log.logger.info(
      { pid: process.pid, version, nodeVersion: process.version, listenMode: mode, reason, steering: steered },
      'supervisor started',
    );
    if (config.listenMode === 'auto' && config.steering === 'auto' && mode === 'reuseaddr') {
      log.logger.warn({ reason }, 'one shared socket for each address');
    }

    if (config.steering === 'auto' && mode === 'reuseport' && !steered) {
      log.logger.warn({ reason: steering.reason }, 'steering cannot be had');
    }

    const supervisor = new Supervisor({
      release,
      reloadConfig: options.reloadConfig,
      log,
      version,
      listenMode: mode,
      listenModeReason: reason,
      steering,
      native,
      openCustody: (onWaiting) =>
        new Custody({ mode, how, steered, native, bindTimeoutMs: config.bindTimeoutMs, onWaiting }),
    });
    const control = await ControlServer.open({ dir: options.runtimeDir, name: config.name, target: supervisor });
    const forgetSignals = handleSignals(supervisor, log);
    try {
      supervisor.start();
      let hasStarted = false;
      void supervisor.started.then((started) => {
        hasStarted = true;
        options.onStarted?.(started);
      });
      const closeTriggers = await openTriggers(supervisor, release, log);
      const failure = await supervisor.ended;
      closeTriggers();
      if (failure !== null) {
        const verb = hasStarted ? 'keep running' : 'start';
        throw new HoldfastError('START_FAILED', `cannot ${verb} ${release.script}: ${failure}`);
      }
      log.logger.info('supervisor stopped');
      return EXIT.done;
    } finally {
      await control.close();
      forgetSignals();
    }
  } finally {
    await log.flush();
  }
}

function ownVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
