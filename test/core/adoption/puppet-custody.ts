/** The sockets that really are there, as the kernel knows them. */
import type { SocketEvent, SocketTable } from '../../../src/core/adoption/types.js';
import type { SocketId } from '../../../src/core/state/types.js';
import type { Clock } from '../clock.js';
import { check } from './invariants.js';
import { isOwn, isWider, nameOf, type Puppet } from './puppet.js';

interface Congestion {
  readonly clock: Clock;
  readonly isSteered: boolean;
  /** Slots that there are by then. */
  readonly size: () => number;
  readonly tell: (event: SocketEvent) => void;
}

export class PuppetCustody {
  readonly #sockets = new Map<string, SocketId>();
  /** Sockets whose queue does not empty, and until when. */
  readonly #congested = new Map<string, number>();

  get sockets(): SocketId[] {
    return [...this.#sockets.values()];
  }

  get #names(): string[] {
    return [...this.#sockets.keys()].sort();
  }

  has(socket: SocketId): boolean {
    return this.#sockets.has(nameOf(socket));
  }

  open(socket: SocketId, workers: readonly Puppet[]): void {
    if (!this.has(socket)) checkKernel(socket, workers);
    this.#sockets.set(nameOf(socket), socket);
  }

  /** Another socket that is there already, and would be in the way, or lose connections. */
  rivals({ slot }: Puppet, key: string): SocketId[] {
    const present = this.sockets;
    if (present.some((other) => other.key === key && (other.slot === null || other.slot === slot))) return [];
    return present.filter((other) => isWider(other.key, key) || (other.slot === null && isWider(key, other.key)));
  }

  /** Some queue does not empty for a while. */
  congest({ clock, isSteered, size, tell }: Congestion): void {
    const socket = clock.pick(this.sockets.filter(({ slot }) => slot !== null));
    if (socket === undefined || !isSteered) return;
    const until = clock.now + clock.between(20, 3_000);
    this.#congested.set(nameOf(socket), until);
    for (let i = 0; i <= clock.between(0, 5); i++) {
      clock.at(Math.min(until, clock.now + i * 20), () => {
        const slots = Array.from({ length: size() }, (_none, slot) => slot);
        const helpers = slots.filter((slot) => slot !== socket.slot && clock.happens(0.7));
        tell({ type: 'congested', socket, helpers });
      });
    }
    clock.at(until, () => {
      if (this.#congested.get(nameOf(socket)) === until) tell({ type: 'relieved', socket });
    });
  }

  close(socket: SocketId, workers: readonly Puppet[]): void {
    check(this.#sockets.delete(nameOf(socket)), 'only what is in custody is closed', socket);
    for (const puppet of workers) {
      const holds = puppet.accepts.includes(socket.key) || puppet.opening.includes(socket.key);
      check(!holds || !isOwn(puppet, socket), 'no socket is closed that its own worker uses', socket);
      const adopted = puppet.adopted.some((other) => nameOf(other) === nameOf(socket));
      check(!adopted, 'no socket is closed while a sibling accepts on it', socket);
    }
  }

  /** Called when nothing happens any more: what the table believes is what is. */
  checkRest(
    { sockets, contests, steered }: SocketTable,
    size: number,
    workers: readonly Puppet[],
    hasFaults: boolean,
  ): void {
    check(
      contests.every(({ decided }) => decided),
      'it is known what becomes of every address',
      contests,
    );
    check(sockets.map(nameOf).sort().join() === this.#names.join(), 'it knows custody', sockets);
    for (const socket of sockets) {
      const isRetired = steered && socket.slot !== null && socket.slot >= size;
      check(!isRetired, 'what has retired is closed', socket);
      const own = workers.filter((puppet) => isOwn(puppet, socket) && puppet.accepts.includes(socket.key));
      const lent = workers.filter(({ adopted }) => adopted.some((other) => nameOf(other) === nameOf(socket)));
      const believed = socket.loans.filter(({ state }) => state === 'adopted').map(({ worker }) => worker);
      const ids = lent.map(({ id }) => id).sort();
      check(ids.join() === believed.sort().join(), 'who is believed to accept for others does', { socket, ids });
      check(!socket.loans.some(({ state }) => state === 'releasing'), 'who was asked has let go', socket);
      check(
        !socket.congested && (own.length === 0 || lent.length === 0),
        'nobody helps where no help is needed',
        socket,
      );
      const isServed = own.length + lent.length > 0 || nobodyCan(socket, workers, hasFaults);
      check(isServed, 'somebody really accepts on every socket', socket);
    }
  }
}

function nobodyCan(socket: SocketId, workers: readonly Puppet[], hasFaults: boolean): boolean {
  const others = workers.filter((puppet) => !isOwn(puppet, socket) && puppet.accepts.includes(socket.key));
  // Where an effect has failed it counts as a refusal.
  return others.every(({ isAble }) => !isAble || hasFaults);
}

/** What bind(2) would say, and what clients would. */
function checkKernel({ slot, key }: SocketId, workers: readonly Puppet[]): void {
  for (const puppet of workers.filter(({ alive }) => alive)) {
    for (const other of [...puppet.accepts, ...puppet.opening]) {
      const overlaps = isWider(other, key) || isWider(key, other);
      check(slot !== null || !overlaps, 'what is opened has nothing in its way', { key, puppet });
      const robs = puppet.standing === 'serving' && puppet.listening.includes(other) && isWider(other, key);
      check(!robs, 'nobody who serves loses connections to another socket', { key, puppet });
    }
  }
}
