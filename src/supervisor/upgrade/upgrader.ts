/**
 * The supervisor is replaced by exec, with its PID: first it is asked for, then whatever cannot go over is waited for, then the new
 * version is tried beside this one, and in the end it takes the place. Until that last step nothing has changed.
 */
import { existsSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../../logs/logger.js';
import { loadExec } from '../../native/exec.js';
import type { ControlResult, UpgradeOptions } from '../../protocol/control.js';
import type { LastUpgrade, UpgradeStatus } from '../../protocol/status.js';
import type { Progress } from '../requests.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import type { Arrival } from './arrival.js';
import { Clearing, type ClearingParts, Refused, type Tell, WAIT_MS } from './clearing.js';
import { type Candidate, dryRun } from './dry-run.js';
import { installedSince } from './installed.js';
import { lackOf, outlivingLack } from './lack.js';
import { descriptorsOf, type PassedState, UPGRADE_SUFFIX, UPGRADE_VARIABLE, writePassedState } from './passed-state.js';

const STANDARD = [0, 1, 2];
/** Those that end a program that does not listen to them. */
const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'];

/** How this very program was started. */
export interface SelfStart {
  readonly nodeArgs: readonly string[];
  /** As it was named: it may lead to another version by now. */
  readonly script: string;
  /** `start` first. */
  readonly args: readonly string[];
  /** As it was, but for what concerns this process alone; nothing preloaded. */
  readonly env: NodeJS.ProcessEnv;
  /** Logical: it may lead to another folder by now. */
  readonly cwd: string;
}

export interface UpgraderOptions {
  /** Or why it cannot be started again. */
  readonly self: SelfStart | string;
  readonly runtimeDir: string;
  readonly name: string;
  /** Of holdfast, that runs. */
  readonly version: string;
  readonly log: Log;
  /** Why there is no koffi; null where there is. */
  readonly nativeLack: string | null;
  /** The program before this one has passed on to it. */
  readonly arrival: Arrival | null;
}

export interface UpgraderParts extends ClearingParts {
  /** Another number whenever something has happened. */
  readonly turn: () => number;
  /** All that there is to pass on at this moment. */
  readonly pass: () => Omit<PassedState, 'upgrade'> & {
    readonly upgrade: Omit<PassedState['upgrade'], 'id' | 'nodeVersion' | 'program' | 'failure'>;
  };
}

export class Upgrader {
  readonly #options: UpgraderOptions;
  readonly #parts: UpgraderParts;
  readonly #way: Clearing;
  #isBusy = false;

  constructor(options: UpgraderOptions, parts: UpgraderParts) {
    this.#options = options;
    this.#parts = parts;
    this.#way = new Clearing(parts);
  }

  /** One that was killed in the middle of it has left what it was about to pass on. */
  tidy(): void {
    if (this.#options.arrival === null) rmSync(this.#file, { force: true });
  }

  get #file(): string {
    const { runtimeDir, name } = this.#options;
    return path.join(path.resolve(runtimeDir), name + UPGRADE_SUFFIX);
  }

  get status(): UpgradeStatus {
    const reason = this.#lack();
    return { possible: reason === null, reason, last: this.#last() };
  }

  /** What could be taken is told to who asks for something else. Never rejects. */
  async tellInstalled(progress: Progress): Promise<void> {
    const { self, log, version } = this.#options;
    const found = await installedSince(self, version);
    if (found === null) return;
    const fields = { ...found, hint: 'holdfast upgrade takes it for the supervisor' };
    log.logger.info(fields, 'another version is installed');
    progress({ type: 'progress', message: 'another version is installed', fields });
  }

  /** Resolves where it does not come to it. Never rejects. */
  async upgrade(progress: Progress, { node }: UpgradeOptions = {}): Promise<ControlResult> {
    const { log } = this.#options;
    if (this.#isBusy) return failed('an upgrade is under way');
    this.#isBusy = true;
    try {
      await this.#attempt(progress, node ?? process.execPath);
      return failed('it did not come to it');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof Refused) log.logger.error({ reason }, 'upgrade refused');
      else log.logger.error({ err: error }, 'upgrade failed');
      return failed(reason);
    } finally {
      this.#isBusy = false;
    }
  }

  /**
   * For a supervisor that is to take the workers over. Never rejects.
   *
   * @param more what is in the way of that alone
   * @param go called in the very turn in which nothing is in the way; left out, it is only told whether there is a reason not to
   */
  async leave(progress: Progress, more: () => readonly string[], go?: () => void): Promise<string | null> {
    if (this.#isBusy) return 'another program is about to take its place';
    const { self, log } = this.#options;
    const lack = typeof self === 'string' ? self : outlivingLack([...this.#parts.workers()].map(factsOf));
    if (lack !== null) return lack;
    this.#isBusy = true;
    try {
      this.#way.hindrances();
      if (go === undefined) return null;
      const until = performance.now() + WAIT_MS;
      const tell: Tell = (message, fields) => {
        log.logger.info(fields, message);
        progress({ type: 'progress', message, fields });
      };
      do await this.#way.clear(tell, until, { more, waiting: 'supervisor waits before it leaves' });
      while ([...this.#way.hindrances(), ...more()].length > 0);
      go();
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** @throws Refused */
  async #attempt(progress: Progress, node: string): Promise<never> {
    const { self, log } = this.#options;
    const lack = this.#lack();
    const exec = loadExec();
    if (lack !== null || exec === null || typeof self === 'string') throw new Refused(lack ?? 'koffi cannot be loaded');
    const tell: Tell = (message, fields) => {
      log.logger.info(fields, message);
      progress({ type: 'progress', message, fields });
    };
    const until = performance.now() + WAIT_MS;
    await this.#way.clear(tell, until);
    const id = Math.random().toString(16).slice(2, 10);
    const file = this.#file;
    // What was started from a folder that has been removed since can do without where nothing is named from there.
    const candidate: Candidate = { ...self, node, cwd: existsSync(self.cwd) ? self.cwd : '/' };
    try {
      this.#write(file, id, self);
      const checked = await dryRun(candidate, file);
      if (!checked.ok) throw new Refused(`the new version would not start: ${checked.reason}`);
      const { version, nodeVersion } = checked;
      tell('new version would start', { version, nodeVersion });
      await this.#way.clear(tell, until);
      tell('supervisor is being replaced', { upgrade: id, pid: process.pid, version, nodeVersion });
      for (;;) {
        await this.#way.clear(tell, until);
        await log.flush();
        const fds = this.#write(file, id, self);
        const turn = this.#parts.turn();
        // One that comes from here on would be caught and heard by nobody: it is to do what it does to a program that boots.
        exec.toDefault(ENDING);
        // Those that were caught are heard now: between two of these the loop has looked for what has come.
        await nextTurn();
        await nextTurn();
        if (this.#parts.turn() !== turn || this.#way.hindrances().length > 0) {
          heedAgain();
          continue;
        }
        const error = this.#replace(exec, candidate, file, fds);
        throw new Refused(`${node} cannot be run: ${error}`);
      }
    } finally {
      heedAgain();
      rmSync(file, { force: true });
    }
  }

  /** Returns only where it has failed. */
  #replace(
    exec: NonNullable<ReturnType<typeof loadExec>>,
    { node, nodeArgs, script, args, env, cwd }: Candidate,
    file: string,
    fds: readonly number[],
  ): string {
    const before = here();
    try {
      process.chdir(cwd);
      const variables = { ...env, [UPGRADE_VARIABLE]: file };
      return exec.execve(node, [node, ...nodeArgs, script, ...args], variables, [...STANDARD, ...fds]);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      if (before !== null) process.chdir(before);
    }
  }

  /** @returns the descriptors that are to stay open */
  #write(file: string, id: string, { nodeArgs, script: named, args }: SelfStart): number[] {
    const { upgrade, ...snapshot } = this.#parts.pass();
    const program = { node: process.execPath, nodeArgs, script: ownScript, named, args };
    const passed = { ...upgrade, id, nodeVersion: process.version, program, failure: null };
    const text = writePassedState({ ...snapshot, upgrade: passed });
    try {
      rmSync(file, { force: true });
      writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Refused(`what the next program is to know cannot be written to ${file}: ${code}`);
    }
    return descriptorsOf(passed);
  }

  #lack(): string | null {
    const { self, nativeLack } = this.#options;
    const { platform } = process;
    const own = lackOf({ platform, nativeLack, selfLack: typeof self === 'string' ? self : null });
    return own ?? outlivingLack([...this.#parts.workers()].map(factsOf));
  }

  #last(): LastUpgrade | null {
    const { arrival } = this.#options;
    if (arrival === null) return null;
    const { id, version, nodeVersion, failure } = arrival.state.upgrade;
    return { id, version, nodeVersion, failure, done: !arrival.isPending() };
  }
}

/** As it was when this program began: the way that it was named by may lead to another version by now. */
const ownScript = real(process.argv[1] ?? '');

/** Node catches them anew. */
function heedAgain(): void {
  for (const signal of ENDING) {
    const listeners = process.listeners(signal);
    process.removeAllListeners(signal);
    for (const listener of listeners) process.on(signal, listener);
  }
}

/** null where that has been removed. */
function here(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function factsOf({ identity, missing, plain, isProgram, release }: WorkerHandle) {
  return { worker: identity.worker, missing, plain, isProgram, orphanTimeoutMs: release.config.orphanTimeoutMs };
}

function failed(reason: string): ControlResult {
  return { ok: false, message: 'failed', reason };
}
