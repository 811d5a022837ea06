/** Has the kernel choose by the weights of the slots: one program for each group of sockets, made when it changes. */

import type { State } from '../../../core/state/types.js';
import { nextWarmthChange, type Observed, slotFacts } from '../../../core/steering/facts.js';
import { isUrgent, type SlotFacts, weigh } from '../../../core/steering/weights.js';
import type { Log } from '../../../logs/logger.js';
import type { Native } from '../../../native/libc.js';
import type { CustodySocket, SteeredSockets } from '../../../sockets/custody/custody.js';
import { type Choice, steeringProgram } from '../../../sockets/program.js';

export interface SteeringProgramsOptions {
  readonly groups: SteeredSockets;
  readonly native: Native;
  readonly log: Log;
  readonly affinity: 'none' | 'client-ip';
}

/** How long a program is left as it is while only its proportions would change. */
const SETTLE_MS = 50;

/** What a group goes by. */
interface InForce {
  readonly group: readonly CustodySocket[];
  readonly weights: readonly number[];
  /** What the program was made of. */
  readonly choice: Choice;
  readonly since: number;
}

export class SteeringPrograms {
  readonly #options: SteeringProgramsOptions;
  /** By the first socket of each group. */
  #inForce = new Map<CustodySocket, InForce>();
  /** What they were made for: as long as it is the same, no change is urgent. */
  #groups: readonly (readonly CustodySocket[])[] = [];
  #avoided: ReadonlySet<number | null> = new Set();
  #failure: string | null = null;
  /** Told already. */
  #lastFailure: string | null = null;

  constructor(options: SteeringProgramsOptions) {
    this.#options = options;
  }

  /** As the programs in force have them; with affinity 1 is a seat that is open and 0 one that is not. */
  get weights(): ReadonlyMap<CustodySocket, number> {
    const affine = this.#options.affinity === 'client-ip';
    const weights = new Map<CustodySocket, number>();
    for (const { group, weights: all } of this.#inForce.values()) {
      for (const [i, socket] of group.entries()) weights.set(socket, affine ? Math.min(1, all[i] ?? 0) : (all[i] ?? 0));
    }
    return weights;
  }

  /** Why the kernel chooses by its hash after all; null while it goes by the programs. */
  get failure(): string | null {
    return this.#failure;
  }

  /**
   * @param observe what is known of the worker behind a socket
   * @param avoided slots in which a worker owes a sign of life, on account of whatever socket
   * @throws NativeError where the kernel takes no more programs
   * @returns when it is to be called again at the latest, on the clock of `now`; null where it need not
   */
  apply(
    state: State,
    observe: (socket: CustodySocket) => Omit<Observed, 'avoided'>,
    avoided: ReadonlySet<number | null>,
    now: number,
  ): number | null {
    if (this.#failure !== null) return null;
    let againAt = nextWarmthChange(state, now);
    const groups = this.#options.groups.list();
    const inForce = new Map<CustodySocket, InForce>();
    for (const group of groups) {
      const [first] = group;
      if (first === undefined) continue;
      const facts = group.map((socket) => {
        const observed = { ...observe(socket), avoided: avoided.has(socket.slot) };
        return slotFacts(state, socket, observed, now);
      });
      const weights = weigh(facts);
      const before = this.#inForce.get(first);
      const same = before !== undefined && group.every((socket, i) => before.group[i] === socket);
      if (same && !isUrgent(before.weights, weights) && now - before.since < SETTLE_MS) {
        inForce.set(first, before);
        const dueAt = before.since + SETTLE_MS;
        if (weights.some((weight, i) => weight !== before.weights[i])) againAt = Math.min(againAt ?? dueAt, dueAt);
        continue;
      }
      const choice = this.#choose(group, facts, weights);
      if (before === undefined || !isSame(before.choice, choice)) {
        this.#options.native.attachReusePortProgram(first.handle.fd, steeringProgram(choice));
        this.#report(group, facts, weights);
      }
      inForce.set(first, { group: [...group], weights, choice, since: now });
    }
    this.#inForce = inForce;
    this.#groups = groups;
    this.#avoided = avoided;
    return againAt;
  }

  /** When the first of them may be replaced for a change that is not urgent. */
  get settledAt(): number {
    let since = Number.POSITIVE_INFINITY;
    for (const one of this.#inForce.values()) since = Math.min(since, one.since);
    return since + SETTLE_MS;
  }

  /**
   * Whether `apply` would leave all as it is, though queues and connections may have changed: only who gets nothing, or something
   * again, is worth a program before `settledAt` (`isUrgent`), and that depends on workers, sockets, and who is avoided.
   */
  keep(avoided: ReadonlySet<number | null>, now: number): boolean {
    if (this.#inForce.size === 0 || now >= this.settledAt || this.#options.groups.list() !== this.#groups) return false;
    if (avoided.size !== this.#avoided.size) return false;
    for (const slot of avoided) if (!this.#avoided.has(slot)) return false;
    return true;
  }

  #choose(group: readonly CustodySocket[], facts: readonly SlotFacts[], weights: readonly number[]): Choice {
    return this.#options.affinity === 'client-ip' ? seating(group, facts, weights) : { kind: 'random', weights };
  }

  /** From now on the kernel chooses by its hash. */
  giveUp(reason: string): void {
    const { groups, native, log } = this.#options;
    const isNews = this.#failure !== reason && this.#lastFailure !== reason;
    this.#failure = reason;
    this.#lastFailure = reason;
    this.#inForce.clear();
    if (isNews)
      log.logger.error({ reason }, 'steering has failed: the kernel chooses by its hash, and it is tried again');
    for (const [socket] of groups.list()) {
      try {
        if (socket !== undefined) native.detachReusePortProgram(socket.handle.fd);
      } catch {
        // There was none, or it stays as it is: nothing more can be done.
      }
    }
  }

  /** The next program is attached as if there had never been one. */
  recover(): void {
    this.#failure = null;
  }

  #report(group: readonly CustodySocket[], facts: readonly SlotFacts[], weights: readonly number[]): void {
    const { logger } = this.#options.log;
    if (!logger.isLevelEnabled('debug')) return;
    const sockets = group.map((socket, i) => ({
      slot: socket.slot,
      weight: weights[i],
      queue: Math.round(facts[i]?.queue ?? 0),
      connections: rounded(facts[i]?.connections ?? null),
    }));
    logger.debug({ address: group[0]?.key, sockets }, 'steered');
  }
}

function isSame(one: Choice, other: Choice): boolean {
  if (one.kind !== 'random' || other.kind !== 'random') return JSON.stringify(one) === JSON.stringify(other);
  const { weights } = other;
  return one.weights.length === weights.length && one.weights.every((weight, i) => weight === weights[i]);
}

/** They are smoothed. */
function rounded(connections: number | null): number | null {
  return connections === null ? null : Math.round(connections);
}

/** A seat for each slot, whether anybody sits there or not: a client keeps its own through every absence. */
function seating(group: readonly CustodySocket[], facts: readonly SlotFacts[], weights: readonly number[]): Choice {
  const seats = group
    .map(({ slot, order }, index) => ({ slot: slot ?? 0, order, index, open: (weights[index] ?? 0) > 0 }))
    .filter(({ open, index }) => open || facts[index]?.retired !== true)
    .sort((a, b) => a.slot - b.slot || a.order - b.order);
  return { kind: 'clientIp', seats: seats.map(({ index, open }) => ({ index, open })) };
}
