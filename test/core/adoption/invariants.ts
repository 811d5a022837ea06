/**
 * What must hold of the sockets after every step, whoever tells the table of them: the core, or a simulation of its own.
 * Asks what is known of the workers, and none of the questions of the table itself.
 */
import { HANDSHAKE_MS } from '../../../src/core/adoption/retirement.js';
import type { HeldSocket, SocketTable } from '../../../src/core/adoption/types.js';
import type { SocketId } from '../../../src/core/state/types.js';
import type { AnyEffect, AnyEvent } from '../../../src/core/supervision.js';

export function check(condition: boolean, rule: string, details: unknown = ''): asserts condition {
  if (!condition) throw new Error(`${rule} ${JSON.stringify(details)}`);
}

/** A worker, as whoever simulates it knows it. */
export interface SeenWorker {
  readonly id: number;
  readonly slot: number;
  /** It accepts on the sockets of its own slot, and nobody has sent it away. */
  readonly accepts: boolean;
  /** It is ready, too: it can accept for others. */
  readonly serves: boolean;
  readonly listening: readonly string[];
}

export interface SocketStep {
  readonly before: SocketTable;
  readonly after: SocketTable;
  readonly events: readonly AnyEvent[];
  readonly effects: readonly AnyEffect[];
  readonly workers: readonly SeenWorker[];
  /** Whether workers are asked for anything: not while all are sent away. */
  readonly isUp: boolean;
  readonly isWanted: (slot: number) => boolean;
  readonly now: number;
}

export class SocketInvariants {
  /** What each worker was asked to adopt and has not been asked, or seen, to let go of. */
  readonly #adopted = new Map<number, SocketId[]>();
  /** Sockets on which somebody has begun to listen: from then on connections may wait there. */
  readonly #listened = new Set<string>();
  /** Who has been given a socket of its own slot and has not closed it, by the socket; those that nobody was given are not known. */
  readonly #holders = new Map<string, Set<number>>();
  /** Sockets on whose address somebody has served. */
  readonly #served = new Set<string>();
  /** Since when the slot of a socket is no longer wanted. */
  readonly #unwantedSince = new Map<string, number>();
  /** When a retired socket of an address was closed last. */
  readonly #closedAt = new Map<string, number>();

  checkStep(step: SocketStep): void {
    this.#look(step);
    for (const event of step.events) {
      this.#lose(event);
      this.#open(step, event);
      this.#give(step, event);
    }
    for (const id of this.#adopted.keys()) {
      // One that is no longer ready, having closed one of its servers, goes on to accept on the others.
      if (!step.workers.some((worker) => worker.id === id && worker.accepts)) this.#adopted.delete(id);
    }
    for (const effect of step.effects) this.#checkEffect(step, effect);
    this.#checkBelief(step.after);
    this.#checkGone(step);
    if (step.isUp) checkAccepted(step, this.#listened);
    for (const name of this.#listened) {
      if (!step.after.sockets.some((socket) => nameOf(socket) === name)) this.#listened.delete(name);
    }
  }

  #open({ before, after, workers }: SocketStep, event: AnyEvent): void {
    const note = (isMeant: (socket: SocketId) => boolean) => {
      for (const socket of [...before.sockets, ...after.sockets]) {
        if (isMeant(socket)) this.#listened.add(nameOf(socket));
      }
    };
    if (event.type === 'bound') {
      const slot = workers.find(({ id }) => id === event.worker)?.slot;
      if (slot === undefined) return;
      note((socket) => socket.key === event.key && (socket.slot === null || socket.slot === slot));
    } else if (event.type === 'congested' || (event.type === 'socketOpened' && event.listened === true)) {
      note((socket) => sameSocket(socket, event.socket));
    }
  }

  #give({ after, workers }: SocketStep, event: AnyEvent): void {
    if (event.type === 'socketOpened' && event.worker !== undefined) {
      const name = nameOf(event.socket);
      this.#holders.set(name, (this.#holders.get(name) ?? new Set()).add(event.worker));
    } else if (event.type === 'bound' || event.type === 'closed') {
      const slot = workers.find(({ id }) => id === event.worker)?.slot;
      for (const socket of after.sockets) {
        if (socket.key !== event.key || (socket.slot !== null && socket.slot !== slot)) continue;
        if (event.type === 'closed') this.#holders.get(nameOf(socket))?.delete(event.worker);
        else this.#holders.set(nameOf(socket), (this.#holders.get(nameOf(socket)) ?? new Set()).add(event.worker));
      }
    } else if (event.type === 'exited' || event.type === 'ended') {
      for (const holders of this.#holders.values()) holders.delete(event.worker);
    }
  }

  /** Clients are not left to wait for a server that an application has only looked with. */
  #checkGone({ after, effects, workers, isUp }: SocketStep): void {
    const present = new Set(after.sockets.map(nameOf));
    for (const name of this.#holders.keys()) if (!present.has(name)) this.#holders.delete(name);
    for (const name of this.#served) if (!present.has(name)) this.#served.delete(name);
    for (const effect of effects) {
      if (effect.do !== 'widen') continue;
      const name = nameOf(effect.socket);
      this.#holders.set(name, (this.#holders.get(name) ?? new Set()).add(effect.worker));
    }
    for (const socket of after.sockets) {
      const name = nameOf(socket);
      if (workers.some(({ serves, listening }) => serves && listening.includes(socket.key))) this.#served.add(name);
      const holders = this.#holders.get(name);
      const isHeld = holders === undefined || [...holders].some((id) => workers.some((worker) => worker.id === id));
      const isUsed = isHeld || socket.loans.some(({ state }) => state !== 'refused');
      if (!isUp || isUsed || this.#served.has(name) || socket.served) continue;
      const isNeeded = workers.some(({ listening }) => listening.includes(socket.key));
      const isRetiring = socket.retiredSince !== null;
      check(isNeeded || isRetiring, 'what nobody has served and nobody has any more goes at once', socket);
    }
  }

  #look({ after, before, isWanted, now }: SocketStep): void {
    for (const socket of [...before.sockets, ...after.sockets]) {
      const wanted = !after.steered || socket.slot === null || isWanted(socket.slot);
      if (wanted) this.#unwantedSince.delete(nameOf(socket));
      else if (!this.#unwantedSince.has(nameOf(socket))) this.#unwantedSince.set(nameOf(socket), now);
    }
  }

  /** What a worker has told that it no longer accepts on. */
  #lose(event: AnyEvent): void {
    if (event.type !== 'closed' && event.type !== 'notAdopted') return;
    const isLost = (socket: SocketId) =>
      event.type === 'closed' ? socket.key === event.key : sameSocket(socket, event.socket);
    const kept = this.#adopted.get(event.worker)?.filter((socket) => !isLost(socket));
    if (kept !== undefined) this.#adopted.set(event.worker, kept);
  }

  #checkEffect(step: SocketStep, effect: AnyEffect): void {
    switch (effect.do) {
      case 'adopt': {
        const worker = step.workers.find(({ id }) => id === effect.worker);
        check(worker?.serves === true, 'only who serves adopts', effect);
        check(worker.listening.includes(effect.socket.key), 'who adopts listens on the address', effect);
        check(effect.socket.slot !== null, 'a shared socket is not adopted', effect);
        check(effect.socket.slot !== worker.slot, 'nobody adopts a socket of its own', effect);
        const adopted = this.#adopted.get(effect.worker) ?? [];
        check(!adopted.some((socket) => sameSocket(socket, effect.socket)), 'a socket is adopted once', effect);
        this.#adopted.set(effect.worker, [...adopted, effect.socket]);
        return;
      }
      case 'release': {
        const adopted = this.#adopted.get(effect.worker) ?? [];
        const kept = adopted.filter((socket) => !sameSocket(socket, effect.socket));
        check(kept.length === adopted.length - 1, 'only what was adopted is released', effect);
        this.#adopted.set(effect.worker, kept);
        return;
      }
      case 'closeSocket':
        this.#checkClosing(step, effect.socket);
        return;
    }
  }

  /** A socket in which connections may wait, of an address that goes on to be served. */
  #checkClosing({ before, after, workers, now, isWanted }: SocketStep, socket: SocketId): void {
    check(!after.sockets.some((other) => sameSocket(other, socket)), 'what is closed is not kept', socket);
    const held = before.sockets.find((other) => sameSocket(other, socket));
    const own = workers.filter((worker) => socket.slot === null || worker.slot === socket.slot);
    check(!own.some((worker) => worker.accepts && worker.listening.includes(socket.key)), 'nobody needs it', socket);
    const lent = [...this.#adopted].filter(([, adopted]) => adopted.some((other) => sameSocket(other, socket)));
    check(lent.length === 0, 'all have been asked to let go of it', lent);
    const retires = held?.closing === true && socket.slot !== null && !isWanted(socket.slot) && after.steered;
    if (!retires) return;
    const since = this.#unwantedSince.get(nameOf(socket)) ?? now;
    check(now >= since + HANDSHAKE_MS, 'a handshake that has begun comes to its end', { socket, since, now });
    const last = this.#closedAt.get(socket.key);
    check(last === undefined || now >= last + HANDSHAKE_MS, 'sockets retire one at a time', { socket, last, now });
    this.#closedAt.set(socket.key, now);
  }

  #checkBelief(table: SocketTable): void {
    const known = new Map<number, number>();
    for (const { loans } of table.sockets) {
      for (const { worker, state } of loans) {
        if (state === 'adopted') known.set(worker, (known.get(worker) ?? 0) + 1);
      }
    }
    const kept = (socket: SocketId) => table.sockets.some((held) => sameSocket(held, socket));
    for (const worker of new Set([...this.#adopted.keys(), ...known.keys()])) {
      const told = (this.#adopted.get(worker) ?? []).filter(kept);
      check(told.length === (known.get(worker) ?? 0), 'what a worker was told to adopt is known', { worker, told });
    }
  }
}

function checkAccepted({ after, workers }: SocketStep, listened: ReadonlySet<string>): void {
  const closing = after.sockets.filter((socket) => socket.closing).map(({ key }) => key);
  check(new Set(closing).size === closing.length, 'of each address one socket retires', closing);
  for (const socket of after.sockets) {
    if (!listened.has(nameOf(socket)) || socket.closing) continue;
    const own = workers.filter((worker) => socket.slot === null || worker.slot === socket.slot);
    if (own.some((worker) => worker.accepts && worker.listening.includes(socket.key))) continue;
    const able = workers.filter((worker) => worker.serves && worker.listening.includes(socket.key));
    const willing = able.filter(({ id, slot }) => slot !== socket.slot && !has(socket, id, 'refused'));
    const accepting = workers.filter((worker) => worker.accepts && worker.listening.includes(socket.key));
    const accepted = accepting.some(({ id }) => has(socket, id, 'adopted'));
    check(
      accepted || willing.length === 0,
      'somebody accepts on every socket as long as anybody on its address can',
      socket,
    );
  }
}

function has({ loans }: HeldSocket, worker: number, state: string): boolean {
  return loans.some((loan) => loan.worker === worker && loan.state === state);
}

function sameSocket(one: SocketId, other: SocketId): boolean {
  return one.slot === other.slot && one.key === other.key;
}

function nameOf({ slot, key }: SocketId): string {
  return `${slot} ${key}`;
}
