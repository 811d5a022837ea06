/** What workers do, of themselves and as they are told, and how it is heard: in order, each way, and after a while. */
import type { SocketEvent } from '../../../src/core/adoption/types.js';
import type { SocketId } from '../../../src/core/state/types.js';
import type { Clock } from '../clock.js';
import { check } from './invariants.js';
import { HOSTS, isGoing, isWider, type Puppet, uses, without } from './puppet.js';
import type { PuppetCustody } from './puppet-custody.js';

/** Who has the workers. */
interface Owner {
  readonly clock: Clock;
  readonly custody: PuppetCustody;
  workers(): readonly Puppet[];
  /** What only the table hears. */
  tell(event: SocketEvent): void;
  /** What may change who is to accept. */
  review(...events: SocketEvent[]): void;
}

export class PuppetDoings {
  readonly #isShared: boolean;
  readonly #owner: Owner;

  /** @param isShared all slots have one socket for each address */
  constructor(isShared: boolean, owner: Owner) {
    this.#isShared = isShared;
    this.#owner = owner;
  }

  listen(puppet: Puppet, key: string): void {
    if (!puppet.alive || isGoing(puppet) || uses(puppet, key) || puppet.opening.includes(key)) return;
    // What it has told before is heard before.
    if (puppet.lastToldAt > this.#owner.clock.now) {
      this.#owner.clock.at(puppet.lastToldAt, () => this.listen(puppet, key));
      return;
    }
    // A process cannot have two that overlap. What it serves it tries again.
    if (hasOverlapping(puppet, key)) {
      if (puppet.keys.includes(key)) this.#owner.clock.after(50, () => this.listen(puppet, key));
      return;
    }
    if (this.#owner.custody.rivals(puppet, key).length > 0) {
      puppet.seeming.push(key);
      this.#owner.tell({ type: 'contested', worker: puppet.id, key });
    } else {
      this.open(puppet, key);
    }
  }

  open(puppet: Puppet, key: string): void {
    check(!hasOverlapping(puppet, key), 'a process has no two addresses that overlap', { puppet, key });
    const socket = { slot: this.#isShared ? null : puppet.slot, key };
    this.#owner.custody.open(socket, this.#owner.workers());
    this.#owner.tell({ type: 'socketOpened', socket, worker: puppet.id });
    puppet.opening.push(key);
    this.#owner.clock.after(this.#owner.clock.between(0, 20), () => {
      puppet.opening = puppet.opening.filter((other) => other !== key);
      if (!puppet.alive) return;
      puppet.accepts.push(key);
      this.#bound(puppet, key);
      // It may have been closed while it was on its way.
      if (puppet.seeming.includes(key)) puppet.seeming = puppet.seeming.filter((other) => other !== key);
    });
  }

  #bound(puppet: Puppet, key: string): void {
    this.hear(puppet, { type: 'bound', worker: puppet.id, key }, () => {
      puppet.listening = [...puppet.listening, key];
      const isComplete = puppet.keys.every((wanted) => puppet.listening.includes(wanted));
      if (puppet.standing === 'coming' && isComplete) puppet.standing = 'serving';
    });
  }

  /** Whether the port is free: most are over at once. */
  look(puppet: Puppet): void {
    const key = this.#owner.clock.pick(HOSTS) ?? '';
    const own = [...puppet.keys, ...puppet.accepts, ...puppet.opening, ...puppet.seeming];
    if (isGoing(puppet) || own.includes(key) || hasOverlapping(puppet, key)) return;
    this.listen(puppet, key);
    const end = () => {
      // It may not listen yet: the news that go before are still on their way.
      const isComing =
        puppet.opening.includes(key) || (puppet.lastToldAt > this.#owner.clock.now && !uses(puppet, key));
      if (isComing) this.#owner.clock.after(1, end);
      else this.close(puppet, key);
    };
    this.#owner.clock.after(
      this.#owner.clock.happens(0.9) ? this.#owner.clock.between(0, 30) : this.#owner.clock.between(0, 900),
      end,
    );
  }

  /** The application no longer wants one of its addresses, for a while. */
  closeOne(puppet: Puppet): void {
    const widened = [...puppet.widened.values()].flat();
    const key = this.#owner.clock.pick(puppet.accepts.filter((other) => !widened.includes(other)));
    if (key === undefined) return;
    this.close(puppet, key);
    this.#owner.clock.after(this.#owner.clock.between(50, 3_000), () => {
      if (!puppet.accepts.includes(key)) this.listen(puppet, key);
    });
  }

  close(puppet: Puppet, key: string): void {
    if (!puppet.alive || !uses(puppet, key)) return;
    for (const narrow of puppet.widened.get(key) ?? []) this.close(puppet, narrow);
    puppet.widened.delete(key);
    puppet.seeming = puppet.seeming.filter((other) => other !== key);
    puppet.accepts = puppet.accepts.filter((other) => other !== key);
    puppet.adopted = puppet.adopted.filter((socket) => socket.key !== key);
    this.hear(puppet, { type: 'closed', worker: puppet.id, key }, () => {
      puppet.listening = puppet.listening.filter((other) => other !== key);
    });
  }

  /** In order, each way, and after a while. */
  send(puppet: Puppet, act: () => void): void {
    puppet.lastHeardAt = Math.max(puppet.lastHeardAt, this.#owner.clock.now) + this.#owner.clock.between(0, 2);
    this.#owner.clock.at(puppet.lastHeardAt, () => {
      if (puppet.alive) act();
    });
  }

  hear(puppet: Puppet, event: SocketEvent | null, note: () => void = () => {}): void {
    puppet.lastToldAt = Math.max(puppet.lastToldAt, this.#owner.clock.now) + this.#owner.clock.between(0, 5);
    this.#owner.clock.at(puppet.lastToldAt, () => {
      note();
      this.#owner.review(...(event === null ? [] : [event]));
    });
  }

  widen(puppet: Puppet, socket: SocketId, under: string): void {
    if (!puppet.accepts.includes(under)) {
      this.#answer(puppet, { type: 'notAdopted', worker: puppet.id, socket });
      return;
    }
    puppet.accepts.push(socket.key);
    puppet.widened.set(under, [...(puppet.widened.get(under) ?? []), socket.key]);
    this.#bound(puppet, socket.key);
  }

  adopt(puppet: Puppet, socket: SocketId): void {
    const isPossible = puppet.isAble && puppet.accepts.includes(socket.key);
    if (isPossible) puppet.adopted = [...without(puppet.adopted, socket), socket];
    else this.#answer(puppet, { type: 'notAdopted', worker: puppet.id, socket });
  }

  release(puppet: Puppet, socket: SocketId): void {
    puppet.adopted = without(puppet.adopted, socket);
    this.#answer(puppet, { type: 'released', worker: puppet.id, socket });
  }

  #answer(puppet: Puppet, event: SocketEvent): void {
    puppet.lastToldAt = Math.max(puppet.lastToldAt, this.#owner.clock.now) + this.#owner.clock.between(0, 5);
    this.#owner.clock.at(puppet.lastToldAt, () => this.#owner.tell(event));
  }
}

function hasOverlapping({ accepts, opening, seeming }: Puppet, key: string): boolean {
  return [...accepts, ...opening, ...seeming].some((other) => isWider(key, other) || isWider(other, key));
}
