/**
 * Which addresses a worker of a new generation must listen on before it may take over: those that its slot serves, as far as
 * they are the application's, and not one session's: what one worker has alone, or opened after it was ready (the port for the
 * data of an FTP session), comes and goes.
 *
 * Only what an accepted generation serves counts. The accepted one itself need not prove anything: in a rollback it
 * must be let in whatever the failed one listened on.
 */
import { slotOf, workersOf } from '../state/state.js';
import type { State, Worker } from '../state/types.js';

export function requiredAddresses(state: State, worker: Worker): string[] {
  if (worker.generation === state.stable) return [];
  const proven = state.workers.filter((other) => other.state === 'ready' && other.generation === state.stable);
  const predecessor = proven.find((other) => other.slot === worker.slot);
  if (predecessor !== undefined) return common(lasting(predecessor), proven);
  // The predecessor has crashed: what it served is not forgotten.
  const { lasting: before } = slotOf(state, worker.slot);
  if (before.length > 0) return common(before, proven);
  // A seat that has just been added: what all workers of the old generation have in common.
  const [first, ...rest] = proven;
  return first === undefined ? [] : common(lasting(first), rest);
}

/**
 * Called for a ready worker; one whose generation is still on trial is not taken as the measure. What its predecessors
 * listened on may be a moment late.
 */
export function rememberAddresses(state: State, worker: Worker): void {
  if (worker.generation !== state.stable) return;
  const slot = slotOf(state, worker.slot);
  slot.addresses = [...new Set([...slot.addresses, ...fixed(worker)])];
  slot.lasting = [...new Set([...slot.lasting, ...lasting(worker)])];
}

/** A worker that serves has closed it. */
export function forgetAddress(state: State, worker: Worker, key: string): void {
  if (worker.generation !== state.stable) return;
  const slot = slotOf(state, worker.slot);
  slot.addresses = slot.addresses.filter((other) => other !== key);
  slot.lasting = slot.lasting.filter((other) => other !== key);
}

/** For the moment at which a generation is accepted. */
export function rememberAllAddresses(state: State): void {
  for (const slot of state.slots) {
    Object.assign(slot, { addresses: [], lasting: [] });
    for (const worker of workersOf(state, slot.slot)) if (worker.state === 'ready') rememberAddresses(state, worker);
  }
}

function common(keys: readonly string[], workers: readonly Worker[]): string[] {
  return keys.filter((key) => workers.every((other) => other.steady.includes(key)));
}

function lasting(worker: Worker): string[] {
  return fixed(worker).filter((key) => worker.lasting.includes(key));
}

/** How long after it was ready an address still counts as one that it began with: a second server is often a little later. */
export const BEGINS_MS = 250;

/** A ready worker listens on it, and goes on to. */
export function addAddress(state: State, worker: Worker, key: string, now: number): void {
  const isFromTheStart = now <= (worker.readyAt ?? 0) + BEGINS_MS || slotOf(state, worker.slot).lasting.includes(key);
  if (isFromTheStart && !worker.lasting.includes(key)) worker.lasting.push(key);
  rememberAddresses(state, worker);
}

function fixed({ steady }: Worker): string[] {
  return steady.filter(isFixed);
}

/** Ports that the kernel chose come and go in some applications as well; nobody can rely on them by number. */
export function isFixed(key: string): boolean {
  return !key.includes(':0#');
}

/** A ready worker of another slot and the same generation, where it shares no address with any of those; null otherwise. */
export function strangerTo(state: State, worker: Worker): Worker | null {
  const others = state.workers.filter(
    (other) => other.slot !== worker.slot && other.generation === worker.generation && other.state === 'ready',
  );
  // What it listens on at that moment, steady or not: all of it began before.
  const shares = (other: Worker) => other.listening.some((key) => worker.listening.includes(key));
  const [first] = others.filter(({ listening }) => listening.length > 0);
  return worker.listening.length === 0 || first === undefined || others.some(shares) ? null : first;
}
