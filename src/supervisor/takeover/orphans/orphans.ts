/**
 * Workers of a supervisor that has gone, as proc(5) shows them: each was started with variables that say whose it is. What they
 * start does not have them: the preload takes them out of its own environment.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Orphan } from '../../../core/state/types.js';

/** A process with that number, and no other that is given the number later. */
export interface ProcessMark {
  readonly pid: number;
  /** In ticks since the machine began. */
  readonly startedAt: string;
}

export interface FoundOrphan extends Orphan, WorkerVariables {
  readonly startedAt: string;
  /**
   * Somebody else has started it, or it has become another user: root can read everybody's environment, and anybody can give a
   * program of theirs what looks like a worker's.
   */
  readonly isForeign: boolean;
}

/** The number of a worker, a slot or a generation. */
const NUMBER = /^\d{1,15}$/;
const SUFFIX = '.attach';
/** What is in the runtime folder as long as a supervisor runs: its control socket, and what the next one is to know. */
const LEFT = /^([^.].*)\.(?:attach|sock|state)$/;

/** Where workers look for the next supervisor of that name. */
export function attachPath(dir: string, name: string): string {
  return path.join(path.resolve(dir), name + SUFFIX);
}

/** What the supervisor before has left beside its workers. */
export function statePath(dir: string, name: string): string {
  return path.join(path.resolve(dir), `${name}.state`);
}

/** `attachPath` for a worker that is started; null where it ends with its supervisor. */
export function attachAt(
  { name, orphanTimeoutMs }: { readonly name: string; readonly orphanTimeoutMs: number },
  runtimeDir: string,
): string | null {
  return orphanTimeoutMs > 0 && process.platform === 'linux' ? attachPath(runtimeDir, name) : null;
}

export interface WorkerVariables extends Omit<Orphan, 'pid'> {
  /** Where it looks for its supervisor. */
  readonly attachAt: string;
  /** From being told to end to its last end, as it was started. */
  readonly endMs: number;
}

/** null for anything but a worker that may outlive its supervisor. Pure. */
export function readVariables(environ: string): WorkerVariables | null {
  const variables = new Map<string, string>();
  for (const entry of environ.split('\0')) {
    const at = entry.indexOf('=');
    if (entry.startsWith('HOLDFAST_')) variables.set(entry.slice(0, at), entry.slice(at + 1));
  }
  const number = (name: string) => {
    const value = variables.get(name) ?? '';
    return NUMBER.test(value) ? Number(value) : null;
  };
  const [worker, slot, generation] = ['WORKER', 'SLOT', 'GENERATION'].map((name) => number(`HOLDFAST_${name}`));
  if (worker == null || slot == null || generation == null) return null;
  try {
    const terms = JSON.parse(variables.get('HOLDFAST_ATTACH') ?? '') as Partial<Record<string, unknown>> | null;
    const { path: attachAt, drainTimeoutMs, killTimeoutMs } = terms ?? {};
    if (typeof attachAt !== 'string') return null;
    return { worker, slot, generation, attachAt, endMs: Number(drainTimeoutMs) + Number(killTimeoutMs) };
  } catch {
    return null;
  }
}

/** null where there is no such worker (any more). */
export function orphanAt(pid: number, attachAt: string, proc = '/proc'): FoundOrphan | null {
  try {
    // All processes of the machine are looked at before a start. In UTF-8 Node reads a file in one call.
    const environ = readFileSync(`${proc}/${pid}/environ`, 'utf8');
    const found = environ.includes('HOLDFAST_ATTACH=') ? readVariables(environ) : null;
    const status = found?.attachAt === attachAt ? statusOf(pid, proc) : null;
    if (found === null || status === null) return null;
    return { ...found, pid, startedAt: status.startedAt, isForeign: userOf(pid, proc) !== ownerOf(attachAt) };
  } catch {
    return null;
  }
}

/** The real user: of a program that runs as another one that of who has started it. */
function userOf(pid: number, proc: string): number {
  return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`${proc}/${pid}/status`, 'latin1'))?.[1] ?? Number.NaN);
}

/** Whose workers look there: only they can have put the folder there. */
function ownerOf(attachAt: string): number {
  return statSync(path.dirname(attachAt), { throwIfNoEntry: false })?.uid ?? process.getuid?.() ?? 0;
}

/**
 * All of them, the oldest first. Synchronous: in the few milliseconds that it takes nobody comes or goes.
 *
 * @param ofOwn also those that are children of this process: another program has started them, before an exec
 */
export function findOrphans(attachAt: string, proc = '/proc', ofOwn = false): FoundOrphan[] {
  let names: string[];
  try {
    names = readdirSync(proc);
  } catch {
    return [];
  }
  const kernels = kernelThreads(proc);
  const pids = names.flatMap((name) => (NUMBER.test(name) && !kernels.has(name) ? Number(name) : []));
  const found = pids.flatMap((pid) => orphanAt(pid, attachAt, proc) ?? []);
  const known = new Set(found.map(({ pid }) => pid));
  // One that this process has started itself is none. Between fork and exec a child of a worker has the worker's environment.
  if (!ofOwn) known.add(process.pid);
  return found.filter(({ pid }) => !known.has(statusOf(pid, proc)?.parent ?? 0)).sort((a, b) => a.worker - b.worker);
}

/** Most of what there is on a small machine; none of them has variables, and each would cost an error. */
function kernelThreads(proc: string): ReadonlySet<string> {
  try {
    if (readFileSync(`${proc}/2/comm`, 'latin1') !== 'kthreadd\n') return new Set();
    return new Set(['2', ...readFileSync(`${proc}/2/task/2/children`, 'latin1').split(' ')]);
  } catch {
    // Not shown, as in a container: then there are few processes.
    return new Set();
  }
}

/** Children of this process, however they have come to be. */
export function ownChildren(proc = '/proc'): ProcessMark[] {
  let names: string[];
  try {
    names = readdirSync(proc);
  } catch {
    return [];
  }
  return names
    .filter((name) => NUMBER.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      const status = statusOf(pid, proc);
      return status?.parent === process.pid ? [{ pid, startedAt: status.startedAt }] : [];
    });
}

/** Names of which a supervisor has died, or runs: those that end in their own way leave nothing. */
export function namesLeft(dir: string): string[] {
  try {
    const names = readdirSync(dir).flatMap((file) => LEFT.exec(file)?.[1] ?? []);
    return [...new Set(names)].sort();
  } catch {
    return [];
  }
}

/** Whether it still runs; one that nobody has waited for yet does not. */
export function isThere({ pid, startedAt }: ProcessMark, proc = '/proc'): boolean {
  return statusOf(pid, proc)?.startedAt === startedAt;
}

/** null where no such process can be seen from here. */
export function markOf(pid: number, proc = '/proc'): ProcessMark | null {
  const status = statusOf(pid, proc);
  return status && { pid, startedAt: status.startedAt };
}

/** Who has started it, or whoever has come in the place of that; null where there is no such process. */
export function parentOf(pid: number, proc = '/proc'): number | null {
  return statusOf(pid, proc)?.parent ?? null;
}

/** A child of this process that has ended and was not waited for: also while some of its threads have not ended yet. */
export function isUnreaped({ pid, startedAt }: ProcessMark, proc = '/proc'): boolean {
  const [state, parent, started] = fieldsOf(pid, proc);
  return state === 'Z' && Number(parent) === process.pid && started === startedAt;
}

/** Fields 3, 4 and 22 of proc_pid_stat(5), after the name, which may have any character. */
function fieldsOf(pid: number, proc: string): readonly [state?: string, parent?: string, startedAt?: string] {
  try {
    const stat = readFileSync(`${proc}/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent] = fields;
    return [state ?? '', parent ?? '', fields[19] ?? ''];
  } catch {
    return [];
  }
}

/** null for one that has ended. */
function statusOf(pid: number, proc: string): { readonly parent: number; readonly startedAt: string } | null {
  const [state, parent, startedAt] = fieldsOf(pid, proc);
  return state === 'Z' || state === 'X' || !startedAt ? null : { parent: Number(parent), startedAt };
}

/**
 * @param isGroup the processes that it has started as well: a worker leads a group
 * @returns false where it has gone, or may not be signalled
 */
export function signalProcess(mark: ProcessMark, signal: NodeJS.Signals | number, isGroup = false): boolean {
  if (!isThere(mark)) return false;
  try {
    return process.kill(isGroup ? -mark.pid : mark.pid, signal);
  } catch {
    // In a group of somebody else's, if anything.
    return isGroup && signalProcess(mark, signal);
  }
}
