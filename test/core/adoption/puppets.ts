/**
 * A world around the table of sockets in which there is no core: workers come, listen, go and crash as chance has it, and
 * whoever has them tells the table. What they really accept on is compared with what the table believes.
 */
import { initialTable, nextTableDeadline, stepTable } from '../../../src/core/adoption/table.js';
import type { Acceptor, Acceptors, SocketEffect, SocketEvent, SocketTable } from '../../../src/core/adoption/types.js';
import { Clock } from '../clock.js';
import { copyOf } from '../copy.js';
import { deepFreeze } from '../driver.js';
import { check, SocketInvariants } from './invariants.js';
import { HOSTS, isGoing, isWider, type Puppet } from './puppet.js';
import type { Course, Deed } from './puppet-course.js';
import { PuppetCustody } from './puppet-custody.js';
import { PuppetDoings } from './puppet-doings.js';

const PATIENCE_MS = 2_000;

const STEP_LIMIT = 20_000;

export class Puppets {
  readonly clock: Clock;
  table: SocketTable;
  readonly #course: Course;
  readonly #invariants = new SocketInvariants();
  readonly #custody = new PuppetCustody();
  readonly #doings: PuppetDoings;
  #workers: Puppet[] = [];
  #size: number;
  #keys: readonly string[];
  #isUp = true;
  #lastId = 0;
  #steps = 0;

  constructor(course: Course) {
    this.#course = course;
    this.#size = course.size;
    this.#keys = course.keys;
    this.clock = new Clock(course.seed);
    this.table = initialTable(course.steered);
    this.#doings = new PuppetDoings(course.shared, {
      clock: this.clock,
      custody: this.#custody,
      workers: () => this.#workers,
      tell: (event) => this.#tell(event),
      review: (...events) => this.#review(...events),
    });
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
    for (const { keys, accepts, widened } of this.#workers) {
      const meant = [...keys, ...[...widened.values()].flat()];
      check(
        accepts.every((key) => meant.includes(key)),
        'every look has come to its end',
        { keys, accepts },
      );
    }
    this.#custody.checkRest(this.table, this.#size, this.#workers, this.#course.faults > 0);
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
        this.#custody.congest({
          clock: this.clock,
          isSteered: this.table.steered,
          size: () => this.#size,
          tell: (event) => this.#tell(event),
        });
        return;
      case 'closeAddress':
        if (victim !== undefined) this.#doings.closeOne(victim);
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
        if (victim !== undefined) this.#doings.look(victim);
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
    for (const key of puppet.keys) this.clock.after(this.clock.between(0, 300), () => this.#doings.listen(puppet, key));
    if (this.clock.happens(0.3)) this.#doings.look(puppet);
    // One that is on trial passes, or does not.
    if (isHeld) this.clock.after(this.clock.between(300, 1_000), () => this.#sendAway(puppet));
  }

  #sendAway(puppet: Puppet): void {
    if (isGoing(puppet)) return;
    puppet.standing = 'leaving';
    this.#step([], this.#acceptors());
    const isDeaf = this.clock.happens(0.4);
    const closeAll = () => {
      for (const key of [...puppet.accepts]) this.#doings.close(puppet, key);
    };
    if (!isDeaf) this.#doings.send(puppet, closeAll);
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

  #end(puppet: Puppet): void {
    if (!puppet.alive) return;
    Object.assign(puppet, { alive: false, opening: [], accepts: [], adopted: [], seeming: [] });
    this.#doings.hear(puppet, null, () => {
      puppet.standing = 'ended';
    });
    this.clock.after(this.clock.between(50, 300), () => {
      this.#workers = this.#workers.filter((other) => other !== puppet);
      this.#review();
    });
  }

  // ---- the table ----

  /** What only the table hears. */
  #tell(event: SocketEvent): void {
    this.#step([event], null);
  }

  #step(events: readonly SocketEvent[], told: Acceptors | null): void {
    const before = this.table;
    const { now } = this.clock;
    const after = copyOf(before);
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
        check(this.#custody.has(socket), 'what is adopted is in custody', effect);
        const { worker } = effect;
        const puppet = this.#workers.find(({ id }) => id === worker);
        if (isFault) this.clock.after(0, () => this.#tell({ type: 'notAdopted', worker, socket }));
        else if (puppet !== undefined) this.#doings.send(puppet, () => this.#doings.adopt(puppet, socket));
        return;
      }
      case 'widen': {
        check(this.#custody.has(socket), 'what is accepted on is in custody', effect);
        const { worker, under } = effect;
        const puppet = this.#workers.find(({ id }) => id === worker);
        check(puppet?.slot === socket.slot, 'it is of its own slot', effect);
        if (isFault) this.clock.after(0, () => this.#tell({ type: 'notAdopted', worker, socket }));
        else if (puppet !== undefined) this.#doings.send(puppet, () => this.#doings.widen(puppet, socket, under));
        return;
      }
      case 'release': {
        const puppet = this.#workers.find(({ id }) => id === effect.worker);
        if (puppet !== undefined) this.#doings.send(puppet, () => this.#doings.release(puppet, socket));
        return;
      }
      case 'closeSocket':
        if (isFault) this.clock.after(0, () => this.#tell({ type: 'socketOpened', socket, listened: true }));
        else this.#custody.close(socket, this.#workers);
    }
  }

  /** What was only seen is opened, or its worker goes. */
  #decide(effect: Extract<SocketEffect, { do: 'openContested' | 'refuseContested' }>): void {
    const { worker, key } = effect;
    const puppet = this.#workers.find(({ id }) => id === worker);
    if (puppet === undefined || isGoing(puppet) || !puppet.seeming.includes(key)) return;
    if (effect.do === 'refuseContested') this.#sendAway(puppet);
    else if (this.#custody.rivals(puppet, key).some(({ slot }) => slot === null)) {
      this.clock.after(0, () => this.#tell({ type: 'contested', worker, key }));
    } else this.#doings.open(puppet, key);
  }
}
