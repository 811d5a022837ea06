/** Why a supervisor cannot be replaced by exec, on what is known. Pure. */

/** Less than that a new version may need to get up on a busy machine. */
const LEAST_ORPHAN_MS = 10_000;
/** How what a worker lacks begins. */
const LACKS = /^(?:outliving the supervisor|sockets in custody)/;

export function lackOf(facts: {
  readonly platform: NodeJS.Platform;
  readonly nativeLack: string | null;
  readonly selfLack: string | null;
}): string | null {
  if (facts.platform !== 'linux') return `${facts.platform} does not show which processes are its workers`;
  return facts.nativeLack ?? facts.selfLack;
}

export interface WorkerFacts {
  readonly worker: number;
  readonly missing: readonly string[];
  /** Its servers are node:cluster's own. */
  readonly plain: boolean;
  readonly orphanTimeoutMs: number;
  /** No Node: it has no channel by which it could come back. */
  readonly isProgram: boolean;
}

/** Of workers that could not go on without a supervisor for a moment. */
export function outlivingLack(workers: readonly WorkerFacts[]): string | null {
  for (const { worker, missing, plain, orphanTimeoutMs, isProgram } of workers) {
    if (isProgram) return 'programs that are not Node end with their supervisor';
    const lack = missing.find((one) => LACKS.test(one));
    if (lack !== undefined) return `worker ${worker} cannot go on without a supervisor: ${lack}`;
    if (plain) return `worker ${worker} cannot go on without a supervisor: node:cluster looks after its servers`;
    if (orphanTimeoutMs < LEAST_ORPHAN_MS) {
      return `orphanTimeout is ${orphanTimeoutMs / 1000} s, and workers have to wait for ${LEAST_ORPHAN_MS / 1000} s`;
    }
  }
  return null;
}

/**
 * Why a supervisor cannot leave its workers to another process: whoever looks after this one would take its end for that of the
 * service.
 *
 * @param facts `execPid` is SYSTEMD_EXEC_PID: which process systemd has started
 */
export function leaveLack(facts: {
  readonly notifySocket: string | null;
  readonly execPid: string | undefined;
  readonly pid: number;
}): string | null {
  const { notifySocket, execPid, pid } = facts;
  if (notifySocket !== null || execPid === String(pid)) {
    return 'systemd has started it, and would take its end for that of the service: holdfast upgrade replaces it there';
  }
  return pid === 1 ? 'it is process 1, and everything ends with it: holdfast upgrade replaces it there' : null;
}
