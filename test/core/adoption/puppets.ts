/**
 * A world around the table of sockets in which there is no core: workers come, listen, go and crash as chance has it, and
 * whoever has them tells the table. What they really accept on is compared with what the table believes.
 */
import fc from 'fast-check';
import { initialTable, nextTableDeadline, stepTable } from '../../../src/core/adoption/table.js';
import type { Acceptor, Acceptors, SocketEffect, SocketEvent, SocketTable } from '../../../src/core/adoption/types.js';
import type { Standing } from '../../../src/core/state/standing.js';
import type { SocketId } from '../../../src/core/state/types.js';
import { Clock } from '../clock.js';
import { deepFreeze } from '../driver.js';
import { check, SocketInvariants } from './invariants.js';

const PATIENCE_MS = 2_000;

/** The addresses of one port, each of which takes in those before it. */
const HOSTS = ['127.0.0.1:80', '0.0.0.0:80', '[::]:80'];

function isWider(wide: string, narrow: string): boolean {
  return HOSTS.indexOf(wide) > HOSTS.indexOf(narrow) && HOSTS.includes(narrow);
}

const STEP_LIMIT = 20_000;

const DEEDS = [
  ...(['crash', 'sendAway', 'congest', 'closeAddress', 'scale', 'scale', 'hold'] as const),
  ...(['steeringFails', 'steeringWorks', 'restart', 'look', 'look', 'readdress', 'readdress'] as const),
] as const;

export interface Deed {
  readonly afterMs: number;
  readonly do: (typeof DEEDS)[number];
}

export interface Course {
  readonly seed: number;
  readonly size: number;
  readonly shared: boolean;
  readonly steered: boolean;
  readonly keys: readonly string[];
  /** How many of the workers cannot adopt, 0 to 1. */
  readonly unable: number;
  /** How often an effect cannot be done, 0 to 1. */
  readonly faults: number;
  readonly deeds: readonly Deed[];
}

const afterMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 7_000 }));

export const courses: fc.Arbitrary<Course> = fc.record({
  seed: fc.integer(),
  size: fc.integer({ min: 1, max: 6 }),
  shared: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  steered: fc.boolean(),
  keys: fc.constantFrom(['0.0.0.0:80'], ['0.0.0.0:80', '0.0.0.0:81']),
  unable: fc.constantFrom(0, 0, 0.3),
  faults: fc.constantFrom(0, 0, 0.2),
  deeds: fc.array(fc.record({ afterMs, do: fc.constantFrom(...DEEDS) }), { maxLength: 12 }),
});

interface Puppet {
  readonly id: number;
  readonly slot: number;
  readonly isAble: boolean;
  /** What it is to listen on. */
  readonly keys: readonly string[];
  /** On these it only seems to listen. */
  seeming: string[];
  /** Further ones on which the server of a wider one accepts, by that. */
  readonly widened: Map<string, string[]>;
  /** As it is known: what it told, and what it was told. */
  standing: Standing;
  listening: readonly string[];
  /** As it is. */
  alive: boolean;
  /** Given to it, but it does not listen yet. */
  opening: string[];
  accepts: string[];
  adopted: SocketId[];
  lastHeardAt: number;
  lastToldAt: number;
}

export class Puppets {
  readonly clock: Clock;
  table: SocketTable;
  readonly #course: Course;
  readonly #invariants = new SocketInvariants();
  readonly #custody = new Map<string, SocketId>();
  #workers: Puppet[] = [];
  #size: number;
  #keys: readonly string[];
  #isUp = true;
  #lastId = 0;
  #steps = 0;
  /** Sockets whose queue does not empty, and until when. */
  readonly #standing = new Map<string, number>();

  constructor(course: Course) {
    this.#course = course;
    this.#size = course.size;
    this.#keys = course.keys;
    this.clock = new Clock(course.seed);
    this.table = initialTable(course.steered);
    this.clock.at(0, () => this.#fillSeats());
    let at = 0;
    for (const deed of course.deeds) {
      at += deed.afterMs;
      this.clock.at(at, () => this.#act(deed));
    }
  }

  /** Until `time`, or until nothing is planned any more. */
  drive(time: number): void {
    for (;;) {
      const deadline = nextTableDeadline(this.table, this.clock.now);
      const { next } = this.clock;
      if (Math.min(deadline ?? Number.POSITIVE_INFINITY, next ?? Number.POSITIVE_INFINITY) > time) return;
      if (deadline === null || (next !== null && next <= deadline)) {
        this.clock.advance();
        continue;
      }
      this.clock.now = deadline;
      this.#tell({ type: 'ticked' });
      const following = nextTableDeadline(this.table, this.clock.now);
      check(following === null || following > this.clock.now, 'what is due is done, not slept for again', this.table);
    }
  }

  get isQuiet(): boolean {
    return this.clock.next === null && nextTableDeadline(this.table, this.clock.now) === null;
  }

  /** Called when nothing happens any more: what the table believes is what is. */
  checkRest(): void {
    const { sockets, contests } = this.table;
    check(
      contests.every(({ decided }) => decided),
      'it is known what becomes of every address',
      contests,
    );
    check(sockets.map(nameOf).sort().join() === [...this.#custody.keys()].sort().join(), 'it knows custody', sockets);
    for (const socket of sockets) {
      const isRetired = this.table.steered && socket.slot !== null && socket.slot >= this.#size;
      check(!isRetired, 'what has retired is closed', socket);
      const own = this.#workers.filter((puppet) => isOwn(puppet, socket) && puppet.accepts.includes(socket.key));
      const lent = this.#workers.filter(({ adopted }) => adopted.some((other) => nameOf(other) === nameOf(socket)));
      const believed = socket.loans.filter(({ state }) => state === 'adopted').map(({ worker }) => worker);
      const ids = lent.map(({ id }) => id).sort();
      check(ids.join() === believed.sort().join(), 'who is believed to accept for others does', { socket, ids });
      check(!socket.loans.some(({ state }) => state === 'releasing'), 'who was asked has let go', socket);
      check(
        !socket.congested && (own.length === 0 || lent.length === 0),
        'nobody helps where no help is needed',
        socket,
      );
      check(own.length + lent.length > 0 || this.#nobodyCan(socket), 'somebody really accepts on every socket', socket);
    }
  }

  #nobodyCan(socket: SocketId): boolean {
    const others = this.#workers.filter((puppet) => !isOwn(puppet, socket) && puppet.accepts.includes(socket.key));
    // Where an effect has failed it counts as a refusal.
    return others.every(({ isAble }) => !isAble || this.#course.faults > 0);
  }

  #act({ do: deed }: Deed): void {
    const victim = this.clock.pick(this.#workers.filter(({ alive }) => alive));
    switch (deed) {
      case 'crash':
        if (victim !== undefined) this.#end(victim);
        return;
      case 'sendAway':
        if (victim !== undefined) this.#sendAway(victim);
        return;
      case 'congest':
        this.#congest();
        return;
      case 'closeAddress':
        if (victim !== undefined) this.#closeOne(victim);
        return;
      case 'scale':
        this.#size = 1 + Math.floor(this.clock.between(0, 6));
        this.#review();
        return;
      case 'hold':
        this.#spawn(Math.floor(this.clock.between(0, this.#size)), true);
        return;
      case 'steeringFails':
        this.#tell({ type: 'steeringFailed' });
        return;
      case 'steeringWorks':
        if (this.#course.steered) this.#tell({ type: 'steeringWorks' });
        return;
      case 'look':
        if (victim !== undefined) this.#look(victim);
        return;
      case 'readdress':
        this.#readdress();
        return;
      case 'restart':
        this.#restart();
    }
  }

  #restart(): void {
    this.#isUp = false;
    for (const puppet of this.#workers) this.#sendAway(puppet);
    this.#review();
  }

  /** Another host from now on: by a restart, or by and by where it is wider and each has its own socket. */
  #readdress(): void {
    const host = this.clock.pick(HOSTS) ?? '';
    const [present = '', ...others] = this.#keys;
    const isEasy = !this.#course.shared && isWider(host, present);
    this.#keys = [host, ...others];
    if (!isEasy || this.clock.happens(0.5)) this.#restart();
  }

  // ---- who has the workers ----

  /** Tells the table how things are, and sees to it that they become as they are to be. */
  #review(...events: SocketEvent[]): void {
    if (!this.#isUp && this.#workers.length === 0) this.#isUp = true;
    for (const puppet of this.#workers) if (puppet.slot >= this.#size) this.#sendAway(puppet);
    this.#step(events, this.#acceptors());
    this.clock.after(this.clock.between(20, 400), () => this.#fillSeats());
  }

  #fillSeats(): void {
    if (!this.#isUp) return;
    for (let slot = 0; slot < this.#size; slot++) {
      const live = this.#workers.filter((puppet) => puppet.slot === slot && !isGoing(puppet));
      if (live.every(({ standing }) => standing === 'held')) this.#spawn(slot, false);
    }
  }

  #spawn(slot: number, isHeld: boolean): void {
    this.#lastId += 1;
    const puppet: Puppet = {
      id: this.#lastId,
      slot,
      isAble: !this.clock.happens(this.#course.unable),
      ...{ keys: this.#keys, seeming: [], widened: new Map() },
      standing: isHeld ? 'held' : 'coming',
      ...{ listening: [], alive: true, opening: [], accepts: [], adopted: [], lastHeardAt: 0, lastToldAt: 0 },
    };
    this.#workers.push(puppet);
    this.#step([], this.#acceptors());
    for (const key of puppet.keys) this.clock.after(this.clock.between(0, 300), () => this.#listen(puppet, key));
    if (this.clock.happens(0.3)) this.#look(puppet);
    // One that is on trial passes, or does not.
    if (isHeld) this.clock.after(this.clock.between(300, 1_000), () => this.#sendAway(puppet));
  }

  #sendAway(puppet: Puppet): void {
    if (isGoing(puppet)) return;
    puppet.standing = 'leaving';
    this.#step([], this.#acceptors());
    const isDeaf = this.clock.happens(0.4);
    const closeAll = () => {
      for (const key of [...puppet.accepts]) this.#close(puppet, key);
    };
    if (!isDeaf) this.#send(puppet, closeAll);
    // A drain can be longer than a socket takes to retire.
    const longestMs = this.clock.happens(0.4) ? 12_000 : 1_500;
    this.clock.after(this.clock.between(10, longestMs), () => this.#end(puppet));
  }

  #acceptors(): Acceptors {
    const live = (slot: number) => this.#workers.filter((puppet) => puppet.slot === slot && !isGoing(puppet));
    const isFull = (slot: number) => live(slot).length === 1 && live(slot)[0]?.standing === 'serving';
    const slots = Array.from({ length: this.#size }, (_none, slot) => slot);
    return {
      stage: this.#isUp ? 'up' : 'restarting',
      size: this.#size,
      canary: null,
      settled: this.#isUp && slots.every(isFull) && this.#workers.every(({ slot }) => slot < this.#size),
      seats: slots.map((slot) => ({ slot, isAwaiting: !isFull(slot), expected: [] })),
      patienceMs: PATIENCE_MS,
      workers: this.#workers.map(({ id, slot, standing, listening }): Acceptor => ({ id, slot, standing, listening })),
    };
  }

  // ---- what the workers do ----

  #listen(puppet: Puppet, key: string): void {
    if (!puppet.alive || isGoing(puppet) || uses(puppet, key) || puppet.opening.includes(key)) return;
    // What it has told before is heard before.
    if (puppet.lastToldAt > this.clock.now) {
      this.clock.at(puppet.lastToldAt, () => this.#listen(puppet, key));
      return;
    }
    if (this.#rivals(puppet, key).length > 0) {
      puppet.seeming.push(key);
      this.#tell({ type: 'contested', worker: puppet.id, key });
    } else {
      this.#open(puppet, key);
    }
  }

  #open(puppet: Puppet, key: string): void {
    const socket = { slot: this.#course.shared ? null : puppet.slot, key };
    if (!this.#custody.has(nameOf(socket))) this.#checkKernel(socket);
    this.#custody.set(nameOf(socket), socket);
    this.#tell({ type: 'socketOpened', socket, worker: puppet.id });
    puppet.opening.push(key);
    this.clock.after(this.clock.between(0, 20), () => {
      puppet.opening = puppet.opening.filter((other) => other !== key);
      if (!puppet.alive) return;
      puppet.accepts.push(key);
      this.#bound(puppet, key);
      // It may have been closed while it was on its way.
      if (puppet.seeming.includes(key)) puppet.seeming = puppet.seeming.filter((other) => other !== key);
    });
  }

  #bound(puppet: Puppet, key: string): void {
    this.#hear(puppet, { type: 'bound', worker: puppet.id, key }, () => {
      puppet.listening = [...puppet.listening, key];
      const isComplete = puppet.keys.every((wanted) => puppet.listening.includes(wanted));
      if (puppet.standing === 'coming' && isComplete) puppet.standing = 'serving';
    });
  }

  /** As custody looks: another socket that is there already, and would be in the way, or lose connections. */
  #rivals({ slot }: Puppet, key: string): SocketId[] {
    const present = [...this.#custody.values()];
    if (present.some((other) => other.key === key && (other.slot === null || other.slot === slot))) return [];
    return present.filter((other) => isWider(other.key, key) || (other.slot === null && isWider(key, other.key)));
  }

  /** What bind(2) would say, and what clients would. */
  #checkKernel({ slot, key }: SocketId): void {
    for (const puppet of this.#workers.filter(({ alive }) => alive)) {
      for (const other of [...puppet.accepts, ...puppet.opening]) {
        const overlaps = isWider(other, key) || isWider(key, other);
        check(slot !== null || !overlaps, 'what is opened has nothing in its way', { key, puppet });
        const robs = puppet.standing === 'serving' && puppet.listening.includes(other) && isWider(other, key);
        check(!robs, 'nobody who serves loses connections to another socket', { key, puppet });
      }
    }
  }

  /** Whether the port is free: most are over at once. */
  #look(puppet: Puppet): void {
    const key = this.clock.pick(HOSTS) ?? '';
    const own = [...puppet.keys, ...puppet.accepts, ...puppet.opening, ...puppet.seeming];
    if (isGoing(puppet) || own.includes(key)) return;
    // A process cannot have two that overlap.
    const isTaken = [...puppet.accepts, ...puppet.opening, ...puppet.seeming].some(
      (other) => isWider(key, other) || isWider(other, key),
    );
    if (isTaken) return;
    this.#listen(puppet, key);
    const end = () => {
      if (puppet.opening.includes(key)) this.clock.after(1, end);
      else this.#close(puppet, key);
    };
    this.clock.after(this.clock.happens(0.9) ? this.clock.between(0, 30) : this.clock.between(0, 900), end);
  }

  /** The application no longer wants one of its addresses, for a while. */
  #closeOne(puppet: Puppet): void {
    const key = this.clock.pick(puppet.accepts);
    if (key === undefined) return;
    this.#close(puppet, key);
    this.clock.after(this.clock.between(50, 3_000), () => {
      if (!puppet.accepts.includes(key)) this.#listen(puppet, key);
    });
  }

  #close(puppet: Puppet, key: string): void {
    if (!puppet.alive || !uses(puppet, key)) return;
    for (const narrow of puppet.widened.get(key) ?? []) this.#close(puppet, narrow);
    puppet.widened.delete(key);
    puppet.seeming = puppet.seeming.filter((other) => other !== key);
    puppet.accepts = puppet.accepts.filter((other) => other !== key);
    puppet.adopted = puppet.adopted.filter((socket) => socket.key !== key);
    this.#hear(puppet, { type: 'closed', worker: puppet.id, key }, () => {
      puppet.listening = puppet.listening.filter((other) => other !== key);
    });
  }

  #end(puppet: Puppet): void {
    if (!puppet.alive) return;
    Object.assign(puppet, { alive: false, opening: [], accepts: [], adopted: [], seeming: [] });
    this.#hear(puppet, null, () => {
      puppet.standing = 'ended';
    });
    this.clock.after(this.clock.between(50, 300), () => {
      this.#workers = this.#workers.filter((other) => other !== puppet);
      this.#review();
    });
  }

  #congest(): void {
    const { clock } = this;
    const socket = clock.pick([...this.#custody.values()].filter(({ slot }) => slot !== null));
    if (socket === undefined || !this.table.steered) return;
    const until = clock.now + clock.between(20, 3_000);
    this.#standing.set(nameOf(socket), until);
    for (let i = 0; i <= clock.between(0, 5); i++) {
      clock.at(Math.min(until, clock.now + i * 20), () => {
        const slots = Array.from({ length: this.#size }, (_none, slot) => slot);
        const helpers = slots.filter((slot) => slot !== socket.slot && clock.happens(0.7));
        this.#tell({ type: 'congested', socket, helpers });
      });
    }
    clock.at(until, () => {
      if (this.#standing.get(nameOf(socket)) === until) this.#tell({ type: 'relieved', socket });
    });
  }

  // ---- between the two ----

  /** In order, each way, and after a while. */
  #send(puppet: Puppet, act: () => void): void {
    puppet.lastHeardAt = Math.max(puppet.lastHeardAt, this.clock.now) + this.clock.between(0, 2);
    this.clock.at(puppet.lastHeardAt, () => {
      if (puppet.alive) act();
    });
  }

  #hear(puppet: Puppet, event: SocketEvent | null, note: () => void = () => {}): void {
    puppet.lastToldAt = Math.max(puppet.lastToldAt, this.clock.now) + this.clock.between(0, 5);
    this.clock.at(puppet.lastToldAt, () => {
      note();
      this.#review(...(event === null ? [] : [event]));
    });
  }

  /** What only the table hears. */
  #tell(event: SocketEvent): void {
    this.#step([event], null);
  }

  #step(events: readonly SocketEvent[], told: Acceptors | null): void {
    const before = this.table;
    const { now } = this.clock;
    const after = structuredClone(before);
    const { effects, faults } = stepTable(after, deepFreeze(events), deepFreeze(told), now);
    check(faults.length === 0, 'it fails at nothing', String(faults[0]?.error));
    this.table = deepFreeze(after);
    this.#steps += 1;
    check(this.#steps < STEP_LIMIT, 'it comes to rest', after);
    const workers = this.#workers.map((puppet) => {
      const accepts = puppet.standing === 'coming' || puppet.standing === 'serving';
      return { ...puppet, accepts, serves: puppet.standing === 'serving' };
    });
    const isWanted = (slot: number) => slot < after.acceptors.size;
    this.#invariants.checkStep({ before, after, events, effects, workers, isUp: this.#isUp, isWanted, now });
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SocketEffect): void {
    if (effect.do === 'report') return;
    if (effect.do === 'openContested' || effect.do === 'refuseContested') {
      this.#decide(effect);
      return;
    }
    const { socket } = effect;
    const isFault = effect.do !== 'release' && this.clock.happens(this.#course.faults);
    switch (effect.do) {
      case 'adopt': {
        check(this.#custody.has(nameOf(socket)), 'what is adopted is in custody', effect);
        const { worker } = effect;
        const puppet = this.#workers.find(({ id }) => id === worker);
        if (isFault) this.clock.after(0, () => this.#tell({ type: 'notAdopted', worker, socket }));
        else if (puppet !== undefined) this.#send(puppet, () => this.#adopt(puppet, socket));
        return;
      }
      case 'widen': {
        check(this.#custody.has(nameOf(socket)), 'what is accepted on is in custody', effect);
        const { worker, under } = effect;
        const puppet = this.#workers.find(({ id }) => id === worker);
        check(puppet?.slot === socket.slot, 'it is of its own slot', effect);
        if (isFault) this.clock.after(0, () => this.#tell({ type: 'notAdopted', worker, socket }));
        else if (puppet !== undefined) this.#send(puppet, () => this.#widen(puppet, socket, under));
        return;
      }
      case 'release': {
        const puppet = this.#workers.find(({ id }) => id === effect.worker);
        if (puppet !== undefined) this.#send(puppet, () => this.#release(puppet, socket));
        return;
      }
      case 'closeSocket':
        if (isFault) this.clock.after(0, () => this.#tell({ type: 'socketOpened', socket, listened: true }));
        else this.#closeSocket(socket);
    }
  }

  /** What was only seen is opened, or its worker goes. */
  #decide(effect: Extract<SocketEffect, { do: 'openContested' | 'refuseContested' }>): void {
    const { worker, key } = effect;
    const puppet = this.#workers.find(({ id }) => id === worker);
    if (puppet === undefined || isGoing(puppet) || !puppet.seeming.includes(key)) return;
    if (effect.do === 'refuseContested') this.#sendAway(puppet);
    else if (this.#rivals(puppet, key).some(({ slot }) => slot === null)) {
      this.clock.after(0, () => this.#tell({ type: 'contested', worker, key }));
    } else this.#open(puppet, key);
  }

  #widen(puppet: Puppet, socket: SocketId, under: string): void {
    if (!puppet.accepts.includes(under)) {
      this.#answer(puppet, { type: 'notAdopted', worker: puppet.id, socket });
      return;
    }
    puppet.accepts.push(socket.key);
    puppet.widened.set(under, [...(puppet.widened.get(under) ?? []), socket.key]);
    this.#bound(puppet, socket.key);
  }

  #adopt(puppet: Puppet, socket: SocketId): void {
    const isPossible = puppet.isAble && puppet.accepts.includes(socket.key);
    if (isPossible) puppet.adopted = [...without(puppet.adopted, socket), socket];
    else this.#answer(puppet, { type: 'notAdopted', worker: puppet.id, socket });
  }

  #release(puppet: Puppet, socket: SocketId): void {
    puppet.adopted = without(puppet.adopted, socket);
    this.#answer(puppet, { type: 'released', worker: puppet.id, socket });
  }

  #answer(puppet: Puppet, event: SocketEvent): void {
    puppet.lastToldAt = Math.max(puppet.lastToldAt, this.clock.now) + this.clock.between(0, 5);
    this.clock.at(puppet.lastToldAt, () => this.#tell(event));
  }

  #closeSocket(socket: SocketId): void {
    check(this.#custody.delete(nameOf(socket)), 'only what is in custody is closed', socket);
    for (const puppet of this.#workers) {
      const holds = puppet.accepts.includes(socket.key) || puppet.opening.includes(socket.key);
      check(!holds || !isOwn(puppet, socket), 'no socket is closed that its own worker uses', socket);
      const adopted = puppet.adopted.some((other) => nameOf(other) === nameOf(socket));
      check(!adopted, 'no socket is closed while a sibling accepts on it', socket);
    }
  }
}

function isGoing({ standing }: Puppet): boolean {
  return standing === 'leaving' || standing === 'ended';
}

/** Or seems to. */
function uses({ accepts, seeming }: Puppet, key: string): boolean {
  return accepts.includes(key) || seeming.includes(key);
}

function isOwn(puppet: Puppet, { slot }: SocketId): boolean {
  return slot === null || slot === puppet.slot;
}

function without(sockets: readonly SocketId[], socket: SocketId): SocketId[] {
  return sockets.filter((other) => nameOf(other) !== nameOf(socket));
}

function nameOf({ slot, key }: SocketId): string {
  return `${slot} ${key}`;
}
