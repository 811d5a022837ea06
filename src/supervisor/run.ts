/**
 * One supervisor from its start to its end: probes the machine, opens the control socket, starts the workers.
 */
import { readFileSync } from 'node:fs';
import type { LoadedConfig } from '../config/load.js';
import type { AdminServer } from '../control/admin.js';
import { ControlServer } from '../control/server.js';
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';
import { JOURNAL_SOCKET } from '../logs/journal.js';
import { createLog } from '../logs/logger.js';
import type { Datagrams } from '../native/datagrams.js';
import { loadNative, type Native, type NativeLoad } from '../native/libc.js';
import { chooseListenMode, chooseSteering, type SteeringChoice } from '../platform/mode.js';
import { probe } from '../platform/probe.js';
import { formatAddress } from '../sockets/address.js';
import { Custody } from '../sockets/custody.js';
import { type InheritedSocket, inherit, isOrderKnown } from '../sockets/inherit.js';
import { takeServiceEnvironment } from '../systemd/environment.js';
import { openSystemd } from '../systemd/open.js';
import { openAdmin } from './admin.js';
import { surviveFaults } from './faults.js';
import { buryOrphans } from './orphans.js';
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
  const environment = takeServiceEnvironment(process.env, process.pid);
  const native = loadNative();
  const log = createLog(config, { journal: { stream: environment.journalStream, connect: () => openJournal(native) } });
  const systemd = openSystemd(environment, native, (reason) => {
    log.logger.warn({ reason }, 'systemd cannot be told how the service is');
  });
  const forgetFaults = surviveFaults(log);
  const leaveOrphans = buryOrphans(native, log);
  try {
    for (const warning of warnings) log.logger.warn({ warning }, 'configuration');
    const release = await resolveRelease(1, config);
    const capabilities = await probe(native);
    const { mode, how, reason } = chooseListenMode(config, capabilities);
    const { sockets: inherited, refused } = inherit(environment.fdNames, native);
    for (const { name, reason } of refused)
      log.logger.warn({ fdName: name, reason }, 'a socket that was passed cannot be used');
    for (const socket of inherited) {
      log.logger.info({ fdName: socket.name, address: formatAddress(socket.host, socket.port) }, 'socket inherited');
    }
    const steering = steeringWith(inherited, chooseSteering(config, { mode, reason }, capabilities));
    const { steered } = steering;
    // The program that steers them is the one of the supervisor before.
    if (!steered && native.ok) for (const { handle } of inherited) unsteer(native.native, handle.fd);
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

    const { keeper } = systemd;
    const { bindTimeoutMs } = config;
    let custody: Custody | undefined;
    const supervisor = new Supervisor({
      release,
      reloadConfig: options.reloadConfig,
      log,
      version,
      listenMode: mode,
      listenModeReason: reason,
      steering,
      native,
      openCustody(hooks) {
        custody = new Custody({ mode, how, steered, native, bindTimeoutMs, inherited, keeper, ...hooks });
        return custody;
      },
      onSettled: (state) => systemd.review(state),
    });
    const control = await ControlServer.open({ dir: options.runtimeDir, name: config.name, target: supervisor });
    const forgetSignals = handleSignals(supervisor, log, (reload) => void systemd.reload(reload));
    let admin: AdminServer | null = null;
    try {
      // Before the workers: who asks while they start is to be told so, not refused.
      if (config.admin !== null) admin = await openAdmin(config.admin, supervisor);
      supervisor.start();
      let hasStarted = false;
      void supervisor.started.then((started) => {
        hasStarted = true;
        for (const { name, host, port } of custody?.unclaimed ?? []) {
          const hint = 'connections wait there for ever: have the application listen there, or take it out of the unit';
          log.logger.warn(
            { fdName: name, address: formatAddress(host, port), hint },
            'nobody listens on a socket that was passed',
          );
        }
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
      await Promise.all([control.close(), admin?.close()]);
      forgetSignals();
    }
  } catch (error) {
    const exitStatus = error instanceof HoldfastError ? error.exitCode : EXIT.failed;
    systemd.fail(error instanceof Error ? error.message : String(error), exitStatus);
    throw error;
  } finally {
    await systemd.close();
    leaveOrphans();
    forgetFaults();
    await log.flush();
  }
}

/** What the kernel cannot be told by index is left to its hash. */
function steeringWith(inherited: readonly InheritedSocket[], choice: SteeringChoice): SteeringChoice {
  if (!choice.steered || isOrderKnown(inherited)) return choice;
  return {
    steered: false,
    reason: 'sockets were kept from a supervisor that did not steer: stop and start to have them bound anew',
  };
}

function unsteer(native: Native, fd: number): void {
  try {
    native.detachReusePortProgram(fd);
  } catch {
    // There was none.
  }
}

/** null where the journal is reached by standard output only. */
function openJournal(native: NativeLoad): Datagrams | null {
  try {
    return native.ok ? native.native.openDatagrams(JOURNAL_SOCKET) : null;
  } catch {
    return null;
  }
}

function ownVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
