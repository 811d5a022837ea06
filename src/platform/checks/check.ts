/**
 * What every check of the doctor consists of: an effect that collects facts, and a pure function that judges them.
 *
 * Implemented by the files beside this one, run by doctor.ts. A check must close and remove whatever it makes.
 */
import { HoldfastError } from '../../errors.js';
import type { NativeLoad } from '../../native/libc.js';

/**
 * `degraded`: it is there, but less than it should be. `missing`: it is not there. `unknown`: the check itself could not
 * be made, or the system does not tell.
 */
export type CheckResult = 'ok' | 'degraded' | 'missing' | 'unknown';

export type CheckId =
  | 'reusePort'
  | 'reuseAddr'
  | 'steering'
  | 'affinity'
  | 'acceptQueue'
  | 'backlog'
  | 'synBacklog'
  | 'migration'
  | 'openFiles'
  | 'nodeVersion'
  | 'internals'
  | 'koffi'
  | 'handover'
  | 'takeover'
  | 'runtimeFolder'
  | 'systemd'
  | 'container';

/** For people to read. */
export interface Finding {
  readonly result: CheckResult;
  readonly found: string;
  /** For what holdfast promises. */
  readonly meaning: string;
  /** null where nothing needs to be done, or nothing can be. */
  readonly remedy: string | null;
}

export interface CheckReport extends Finding {
  readonly id: CheckId;
  /** What was checked, for people to read. */
  readonly title: string;
}

/** What is looked at: replaced by tests, piece by piece. */
export interface Machine {
  readonly native: NativeLoad;
  /** As in `process.platform`, `process.arch` and `process.version`. */
  readonly platform: string;
  readonly arch: string;
  readonly nodeVersion: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Processors that the system offers to this process. */
  readonly processors: number;
  /** Where the root of the file system is: `/proc` and `/sys` are below it. */
  readonly root: string;
  /** Where the control sockets of this user lie. */
  readonly runtimeDir: string;
  /** Creates the folder, or makes sure that it is safe and fit for a control socket. @throws HoldfastError */
  readonly ensureRuntimeDir: (dir: string) => Promise<void>;
}

export interface Check<Facts> {
  readonly id: CheckId;
  readonly title: string;
  /**
   * What goes wrong in a way that the check expects is a fact, too.
   *
   * @param signal when it is aborted, nobody waits any longer: everything is to be closed
   * @throws whatever makes the check impossible
   */
  collect(machine: Machine, signal: AbortSignal): Promise<Facts>;
  /** Pure. */
  judge(facts: Facts): Finding;
}

export const INSTALL_KOFFI = 'install koffi beside holdfast (npm install koffi)';

/** What went wrong, on one line: `connect: ECONNREFUSED` for what the system refused. */
export function reasonOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined) return `${syscall}: ${code}`;
  return error.message.split('\n', 1)[0] ?? '';
}
