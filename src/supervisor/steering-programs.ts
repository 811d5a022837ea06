/** Has the kernel choose by the weights of the slots: one program for each group of sockets, made when it changes. */
import { type Observed, slotFacts } from '../core/steering/facts.js';
import { type SlotFacts, weigh } from '../core/steering/weights.js';
import type { State } from '../core/types.js';
import type { Log } from '../logs/logger.js';
import type { Native } from '../native/libc.js';
import type { Custody, CustodySocket } from '../sockets/custody.js';
import { type Choice, steeringProgram } from '../sockets/program.js';

export interface SteeringProgramsOptions {
  readonly custody: Custody;
  readonly native: Native;
  readonly log: Log;
  readonly affinity: 'none' | 'client-ip';
}

export class SteeringPrograms {
  readonly #options: SteeringProgramsOptions;
  readonly #weights = new Map<CustodySocket, number>();
  /** What a group goes by, by its first socket. */
  #inForce = new Map<CustodySocket, string>();
  #failure: string | null = null;

  constructor(options: SteeringProgramsOptions) {
    this.#options = options;
  }

  /** As the programs in force have them; with affinity 1 is a seat that is open and 0 one that is not. */
  get weights(): ReadonlyMap<CustodySocket, number> {
    return this.#weights;
  }

  /** Why the kernel chooses by its hash after all; null while it goes by the programs. */
  get failure(): string | null {
    return this.#failure;
  }

  /** @param observe what is known of the worker behind a socket */
  apply(state: State, observe: (socket: CustodySocket) => Observed, now: number): void {
    if (this.#failure !== null) return;
    const groups = this.#options.custody.groups();
    const inForce = new Map<CustodySocket, string>();
    this.#weights.clear();
    for (const group of groups) {
      const [first] = group;
      if (first === undefined) continue;
      const facts = group.map((socket) => slotFacts(state, socket, observe(socket), now));
      const weights = weigh(facts);
      const affine = this.#options.affinity === 'client-ip';
      const choice: Choice = affine ? seating(group, facts, weights) : { kind: 'random', weights };
      const text = JSON.stringify(choice);
      if (this.#inForce.get(first) !== text && !this.#attach(first, choice)) return;
      inForce.set(first, text);
      for (const [i, socket] of group.entries()) {
        const weight = weights[i] ?? 0;
        this.#weights.set(socket, affine ? Math.min(1, weight) : weight);
      }
      if (this.#inForce.get(first) !== text) this.#report(group, facts);
    }
    this.#inForce = inForce;
  }

  /** @returns false where the kernel refuses */
  #attach(socket: CustodySocket, choice: Choice): boolean {
    try {
      this.#options.native.attachReusePortProgram(socket.handle.fd, steeringProgram(choice));
      return true;
    } catch (error) {
      this.#giveUp(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** The kernel took programs until now, and does not any more. */
  #giveUp(reason: string): void {
    const { custody, native, log } = this.#options;
    this.#failure = reason;
    this.#weights.clear();
    log.logger.error({ reason }, 'steering has failed: the kernel chooses by its hash');
    for (const [socket] of custody.groups()) {
      try {
        if (socket !== undefined) native.detachReusePortProgram(socket.handle.fd);
      } catch {
        // There was none, or it stays as it is: nothing more can be done.
      }
    }
  }

  #report(group: readonly CustodySocket[], facts: readonly SlotFacts[]): void {
    const { logger } = this.#options.log;
    if (!logger.isLevelEnabled('debug')) return;
    const sockets = group.map((socket, i) => ({
      slot: socket.slot,
      weight: this.#weights.get(socket),
      queue: Math.round(facts[i]?.queue ?? 0),
      connections: facts[i]?.connections ?? null,
    }));
    logger.debug({ address: group[0]?.key, sockets }, 'steered');
  }
}

/** A seat for each slot, whether anybody sits there or not: a client keeps its own through every absence. */
function seating(group: readonly CustodySocket[], facts: readonly SlotFacts[], weights: readonly number[]): Choice {
  const seats = group
    .map(({ slot, order }, index) => ({ slot: slot ?? 0, order, index, open: (weights[index] ?? 0) > 0 }))
    .filter(({ open, index }) => open || facts[index]?.retired !== true)
    .sort((a, b) => a.slot - b.slot || a.order - b.order);
  return { kind: 'clientIp', seats: seats.map(({ index, open }) => ({ index, open })) };
}
