/**
 * One supervisor from its start to its end: probes the machine, opens the control socket, starts the workers.
 */
import type { Config } from '../../config/config.js';
import type { LoadedConfig } from '../../config/load.js';
import type { AdminServer } from '../../control/admin/admin.js';
import { ControlServer } from '../../control/server/server.js';
import { EXIT, type ExitCode, HoldfastError } from '../../errors.js';
import { createLog, type Log } from '../../logs/logger.js';
import { loadNative } from '../../native/libc.js';
import { chooseListenMode, chooseSteering } from '../../platform/mode.js';
import { ownPackage } from '../../platform/own-package.js';
import { probe } from '../../platform/probe.js';
import { Custody } from '../../sockets/custody/custody.js';
import { SharedSockets } from '../../sockets/custody/shared.js';
import { unsteer } from '../../sockets/custody/steered-groups.js';
import { fromThree, inherit } from '../../sockets/inherit.js';
import type { ServiceEnvironment } from '../../systemd/environment.js';
import { openSystemd } from '../../systemd/open.js';
import { PRIMARY_HINT, scriptHasPrimaryBranch } from '../deployments/primary-branch.js';
import { type Release, resolveRelease } from '../deployments/release.js';
import { openTriggers } from '../deployments/triggers.js';
import { Hooks } from '../hooks/hooks.js';
import { Supervisor } from '../supervisor.js';
import type { Started } from '../supervisor-options.js';
import { attachAt } from '../takeover/orphans/orphans.js';
import type { Replaced } from '../takeover/replaced.js';
import { Takeover } from '../takeover/takeover.js';
import type { Arrival } from '../upgrade/arrival.js';
import { leaveLack } from '../upgrade/lack.js';
import { passableAdmin, passedAdminFd, passedWorkers, tellArrived } from '../upgrade/passed-on.js';
import type { SelfStart } from '../upgrade/upgrader.js';
import type { FirstWorker } from '../workers/process/first-worker.js';
import { atMost, endWorkers, failures } from './closing.js';
import { surviveFaults } from './faults.js';
import { keepOwnProgram } from './keep-program.js';
import { handleSignals } from './signals.js';
import { addressOf, openJournal, steeringWith } from './surroundings.js';

/** For what is to be closed at the end, and for workers that are to end at once. */
const CLOSE_MS = 5_000;
const END_MS = 10_000;

export interface RunOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration anew, from the same sources. */
  readonly reloadConfig: () => Promise<LoadedConfig>;
  readonly runtimeDir: string;
  /** Ends whoever has listened to signals until now; those that wait are done by the supervisor. */
  readonly takeOverSignals?: () => readonly NodeJS.Signals[];
  /** Whether the terminal that it was started in has been closed; null where it was started in none. */
  readonly isTerminalGone?: (() => boolean) | null;
  /** Resolves when the program that has started it has gone; null where it was started by none. */
  readonly hostGone?: Promise<void> | null;
  readonly environment: ServiceEnvironment;
  /** Worker 1, where it has been forked already. */
  readonly firstWorker: FirstWorker | null;
  /** How it can be started again in its own place; or why it cannot. */
  readonly self: SelfStart | string;
  /** The program before this one, with the same PID, has passed on to it. */
  readonly arrival?: Arrival | null;
  /** Takes the workers of a supervisor of this name over that runs, and brings them to this configuration. */
  readonly replace?: boolean;
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
  const { environment, firstWorker, arrival = null } = options;
  const passed = arrival?.state.upgrade;
  const { config, warnings } = options.loaded;
  const native = loadNative();
  const journal = { stream: environment.journalStream, connect: () => openJournal(native) };
  const log = createLog(config, { journal, before: passed?.logs });
  const systemd = openSystemd(environment, native, (reason) => {
    log.logger.warn({ reason }, 'cannot notify systemd');
  });
  const forgetFaults = surviveFaults(log);
  // Only the first process of a container has that duty.
  const leaveOrphans =
    process.pid === 1 ? (await import('../pid-one/reaper.js')).reapOrphans(native, log.logger) : () => {};
  try {
    for (const warning of warnings) log.logger.warn({ warning }, 'configuration');
    // As the first worker has been started: it must not be of another release than the others.
    const wanted = firstWorker
      ? { ...firstWorker.release, source: options.loaded }
      : await resolveRelease(1, config, options.loaded);
    const replaced = options.replace && arrival === null ? await lookForReplaced(options, wanted, log) : null;
    const release = replaced?.release ?? wanted;
    const capabilities = await probe(native);
    const { mode, how, reason } = chooseListenMode(release.config, capabilities);
    const {
      sockets: inherited,
      shared: inheritedShared,
      refused,
    } = inherit(passed?.sockets ?? fromThree(environment.fdNames), native);
    for (const { name, reason } of refused)
      log.logger.warn({ fdName: name, reason }, 'cannot use a socket that was passed');
    for (const socket of passed === undefined ? [...inherited, ...inheritedShared] : []) {
      log.logger.info({ fdName: socket.name, address: addressOf(socket) }, 'socket inherited');
    }
    const steering = steeringWith(inherited, chooseSteering(release.config, { mode, reason }, capabilities));
    const { steered } = steering;
    // The program that steers them is the one of the supervisor before.
    if (!steered && native.ok) for (const { handle } of inherited) unsteer(native.native, handle.fd);
    const { version } = ownPackage();
    log.logger.info(
      { pid: process.pid, version, nodeVersion: process.version, listenMode: mode, reason, steering: steered },
      'supervisor started',
    );
    if (release.config.listenMode === 'auto' && config.steering === 'auto' && mode === 'reuseaddr' && !config.exec) {
      log.logger.warn({ reason }, 'one shared socket for each address');
    }

    if (config.steering === 'auto' && mode === 'reuseport' && !steered) {
      log.logger.warn({ reason: steering.reason }, 'steering is not available');
    }

    const { keeper } = systemd;
    const { bindTimeoutMs } = config;
    let custody: Custody | undefined;
    let shared: SharedSockets | undefined;
    let control: ControlServer | undefined;
    let admin: AdminServer | null = null;
    const hooks = new Hooks({ log });
    const { runtimeDir } = options;
    const takeover =
      process.platform === 'linux'
        ? new Takeover({ runtimeDir, name: config.name, version, native, log, passed: passedWorkers(arrival) })
        : null;
    const supervisor = new Supervisor({
      hooks,
      release,
      reloadConfig: options.reloadConfig,
      log,
      version,
      listenMode: mode,
      listenModeReason: reason,
      steering,
      native,
      runtimeDir,
      takeover,
      attachAt: attachAt(config, runtimeDir),
      leaveLack: leaveLack({ ...environment, pid: process.pid, execPid: process.env.SYSTEMD_EXEC_PID }),
      firstWorker,
      upgrade: {
        ...{ self: options.self, runtimeDir, name: config.name, version, log, arrival },
        nativeLack: native.ok ? null : native.reason,
      },
      isAsked: () => (control?.isAsked ?? false) || (admin?.isAsked ?? false),
      passable: () => ({ control: control?.passable ?? null, admin: passableAdmin(config.admin, admin) }),
      openCustody(hooks) {
        custody = new Custody({ mode, how, steered, native, bindTimeoutMs, inherited, keeper, ...hooks });
        return custody;
      },
      openShared(hooks) {
        shared = new SharedSockets({ owner: config.name, native, inherited: inheritedShared, keeper, ...hooks });
        return shared;
      },
      onSettled: (state) => systemd.review(state),
    });
    if (replaced !== null) {
      // From here on nothing is left that could be looked at before.
      log.logger.info({ pid: replaced.pid }, 'supervisor that runs is asked to leave its workers');
      await replaced.leave(mode);
    }
    control = await ControlServer.open({
      passed: passed?.control ?? null,
      dir: options.runtimeDir,
      name: config.name,
      target: supervisor,
      // The other one must not take it for a worker that it is to take over.
      onTaken: () => firstWorker?.discard(),
      onRestored(problem) {
        if (problem === null) log.logger.warn('control socket was removed by somebody, and is there again');
        else log.logger.error({ reason: problem }, 'control socket was removed by somebody');
      },
    });
    const takeOver = options.takeOverSignals ?? (() => []);
    const isTerminalGone = options.isTerminalGone ?? null;
    const onReload = (reload: () => Promise<unknown>) => void systemd.reload(reload);
    const onStopNow = () => hooks.endNow();
    const signals = handleSignals(supervisor, log, { takeOver, isTerminalGone, onReload, onStopNow });
    // Only now is it known that no other supervisor has them.
    if (await takeover?.open()) firstWorker?.discard();
    let closeTriggers = () => {};
    let begun = false;
    let kept = Promise.resolve(() => {});
    try {
      // Before the workers: who asks while they start is to be told so, not refused. Where they serve already, who asks waits.
      if (arrival === null) admin = await openAdminAddress(config, supervisor);
      begun = true;
      supervisor.start();
      // Before anybody can hear that it runs: no worker has been listened to yet.
      kept = keepOwnProgram(wanted, options.runtimeDir, log);
      signals.begin();
      void options.hostGone?.then(() => {
        if (supervisor.stopping) return;
        log.logger.info('the program that started it is gone: stop asked for');
        void supervisor.stop(() => {});
      });
      let hasStarted = false;
      void supervisor.started.then(async (started) => {
        hasStarted = true;
        control?.prepare();
        void hasPrimaryBranch(wanted).then((has) => {
          if (has) log.logger.warn({ script: wanted.script, hint: PRIMARY_HINT }, 'the primary branch does not run');
        });
        for (const socket of [...(custody?.unclaimed ?? []), ...(shared?.unclaimed ?? [])]) {
          const hint = 'connections wait there for ever: have the application listen there, or take it out of the unit';
          log.logger.warn(
            { fdName: socket.name, address: addressOf(socket), hint },
            'nobody listens on a socket that was passed',
          );
        }
        const rolledOut = replaced === null ? null : await supervisor.reload(() => {});
        const now = rolledOut === null ? started : supervisor.startedNow();
        options.onStarted?.({ ...now, notRolledOut: rolledOut?.ok === false ? rolledOut.reason : null });
      });
      closeTriggers = await openTriggers(supervisor, wanted, log);
      const hasAll = takeover?.settled.then(() => true) ?? false;
      if (arrival !== null && (await Promise.race([hasAll, supervisor.ended.then(() => false)]))) {
        admin = await openAdminAddress(config, supervisor, passedAdminFd(config.admin, arrival));
        tellArrived(arrival, log);
      }
      const failure = await supervisor.ended;
      if (failure !== null) {
        const verb = hasStarted ? 'keep running' : 'start';
        const hint = (await hasPrimaryBranch(wanted)) ? { hint: PRIMARY_HINT } : {};
        throw new HoldfastError('START_FAILED', `cannot ${verb} ${wanted.script}: ${failure}`, hint);
      }
      if (supervisor.hasLeft) log.logger.info('supervisor ends: its workers serve on, and another one takes them over');
      else log.logger.info('supervisor stopped');
      arrival?.done();
      return EXIT.done;
    } catch (error) {
      // No worker is to outlive a supervisor that ends.
      if (begun && !arrival?.isPending()) await atMost(END_MS, endWorkers(supervisor));
      throw error;
    } finally {
      signals.end();
      supervisor.observing.close();
      closeTriggers();
      (await kept)();
      for (const error of await atMost(
        CLOSE_MS,
        failures([control?.close(), admin?.close(), hooks.close(), takeover?.close(supervisor.hasLeft)]),
      )) {
        log.logger.warn({ reason: error }, 'cannot clean up');
      }
    }
  } catch (error) {
    const exitStatus = error instanceof HoldfastError ? error.exitCode : EXIT.failed;
    systemd.fail(error instanceof Error ? error.message : String(error), exitStatus);
    throw error;
  } finally {
    await atMost(CLOSE_MS, failures([systemd.close()]));
    leaveOrphans();
    forgetFaults();
    await log.flush();
  }
}

async function lookForReplaced({ runtimeDir }: RunOptions, wanted: Release, log: Log): Promise<Replaced | null> {
  const { findReplaced } = await import('../takeover/replaced.js');
  const replaced = await findReplaced({ runtimeDir, wanted, log });
  if (replaced === null) log.logger.info('no supervisor of this name runs: nothing is replaced');
  return replaced;
}

/** null where there is none. Few have one, and it brings much along. */
async function openAdminAddress(config: Config, supervisor: Supervisor, fd?: number): Promise<AdminServer | null> {
  return config.admin === null ? null : (await import('./admin.js')).openAdmin(config, supervisor, fd);
}

async function hasPrimaryBranch({ config, script }: Release): Promise<boolean> {
  return !config.exec && (await scriptHasPrimaryBranch(script));
}
