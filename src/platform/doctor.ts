/**
 * Examines this machine for `holdfast doctor`: makes all checks at once, within a bound, and says what they mean for what
 * holdfast promises. Must never reject, whatever the machine is like: a check that breaks is a result, too.
 */
import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { loadNative } from '../native/libc.js';
import { type Check, type CheckReport, type Machine, reasonOf } from './checks/check.js';
import { handover } from './checks/handover.js';
import { internals } from './checks/internals.js';
import { backlog, migration, synBacklog } from './checks/kernel.js';
import { koffi, nodeVersion, openFiles } from './checks/process.js';
import { judgePromises, type PromiseReport } from './checks/promises.js';
import { reuseAddr, reusePort } from './checks/reuse.js';
import { runtimeFolder } from './checks/runtime-folder.js';
import { acceptQueue, affinity, steering } from './checks/steering.js';
import { container, systemd } from './checks/surroundings.js';
import { takeover } from './checks/takeover.js';

/** What `holdfast doctor --json` prints. */
export interface DoctorReport {
  /** Whether every promise can be kept here. */
  readonly ok: boolean;
  readonly promises: readonly PromiseReport[];
  readonly checks: readonly CheckReport[];
}

/** In the order in which they are shown: what the promises rest on comes first. */
export const CHECKS: readonly Check<unknown>[] = [
  reusePort,
  reuseAddr,
  steering,
  affinity,
  acceptQueue,
  handover,
  takeover,
  koffi,
  nodeVersion,
  internals,
  runtimeFolder,
  openFiles,
  backlog,
  synBacklog,
  migration,
  systemd,
  container,
];

/** All of them run at the same time, on a machine that may have other things to do. */
const TIMEOUT_MS = 10_000;

/**
 * Opens sockets on loopback and, for a moment, one in the runtime folder; everything is closed and removed again.
 *
 * @param timeoutMs after which a check that has not ended is given up
 */
export async function examine(
  machine: Machine,
  checks: readonly Check<unknown>[] = CHECKS,
  timeoutMs = TIMEOUT_MS,
): Promise<DoctorReport> {
  const reports = await Promise.all(checks.map((check) => report(check, machine, timeoutMs)));
  const promises = judgePromises(reports);
  return { ok: promises.every(({ state }) => state === 'kept'), promises, checks: reports };
}

/** The machine that this process runs on. */
export function thisMachine(
  surroundings: Pick<Machine, 'env' | 'runtimeDir' | 'ensureRuntimeDir'>,
  native = loadNative(),
): Machine {
  const { platform, arch, version } = process;
  const processors = availableParallelism();
  return { ...surroundings, native, platform, arch, nodeVersion: version, processors, root: '/' };
}

async function report(check: Check<unknown>, machine: Machine, timeoutMs: number): Promise<CheckReport> {
  const { id, title } = check;
  try {
    const facts = await within(timeoutMs, (signal) => check.collect(machine, signal));
    return { id, title, ...check.judge(facts) };
  } catch (error) {
    const found = `the check could not be made: ${reasonOf(error)}`;
    return { id, title, result: 'unknown', found, meaning: 'nothing can be said about it', remedy: null };
  }
}

/** Does not rely on the signal being heeded. */
async function within<Value>(timeoutMs: number, begin: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
  const giveUp = new AbortController();
  // Each connection that is under way listens to it.
  setMaxListeners(0, giveUp.signal);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no result within ${timeoutMs / 1000} s`));
      giveUp.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([begin(giveUp.signal), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
