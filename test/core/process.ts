/** A simulated worker process: an application of some quality, behind a channel that keeps the order but takes time. */
import type { SocketEvent } from '../../src/core/adoption/types.js';
import type { WorkerEvent } from '../../src/core/state/events.js';
import type { SocketId } from '../../src/core/state/types.js';
import { type Application, run } from './application.js';
import type { Clock } from './clock.js';

export { GOOD } from './application.js';

/** After which a server that has not been closed again is told to stay. */
const STEADY_MS = 30;

/** What a worker tells, of itself or of sockets that it was lent. */
export type Heard = WorkerEvent | Extract<SocketEvent, { type: 'released' | 'notAdopted' }>;
type Told = Heard extends infer E ? (E extends { worker: number } ? Omit<E, 'worker'> : never) : never;

/** The supervisor's side of the process. */
export interface Surroundings {
  readonly clock: Clock;
  hear(event: Heard): void;
  /** Custody opens the socket if there is none; `contested` where another address is in the way, `closed` when it is for good. */
  open(worker: number, slot: number, key: string): 'opened' | 'contested' | 'closed';
}

export class SimulatedProcess {
  readonly id: number;
  readonly slot: number;
  alive = true;
  draining = false;
  hung = false;
  #servesSince: number | null = null;
  /** Given to it, but it does not listen yet. */
  readonly opening = new Set<string>();
  readonly accepts = new Set<string>();
  /** The server that accepts there: one that is opened anew is another one. */
  readonly #servers = new Map<string, object>();
  /** Narrower addresses whose older sockets its servers accept on as well, and those of the servers. */
  readonly #wider = new Map<string, string>();
  /** On these it only seems to listen. */
  readonly seeming = new Set<string>();
  adopted: SocketId[] = [];
  readonly #world: Surroundings;
  readonly #application: Application;
  readonly #stubborn: { readonly ignoresSigterm: boolean; readonly neverDrains: boolean };
  #connected = true;
  #askedToDrain = false;
  #lastHeardAt = 0;
  #lastToldAt = 0;

  constructor(id: number, slot: number, application: Application, world: Surroundings) {
    this.id = id;
    this.slot = slot;
    this.#application = application;
    this.#world = world;
    const { clock } = world;
    this.#stubborn = { ignoresSigterm: clock.happens(0.1), neverDrains: clock.happens(0.15) };
    this.tell({ type: 'spawned', pid: 1_000 + id });
    clock.after(clock.between(5, 100), () => run(this, application, clock));
  }

  /** Its loop turns no more, and the supervisor finds out after a while. */
  hang(): void {
    const { clock } = this.#world;
    if (!this.alive || this.hung) return;
    this.hung = true;
    this.#beSilent(clock.between(200, 500));
  }

  /** Only who is ready is watched: one that hangs before is found out after. */
  #beSilent(ms: number): void {
    this.#world.clock.after(ms, () => {
      if (!this.alive) return;
      this.#world.hear({ worker: this.id, type: 'hung', silentMs: ms });
      this.#beSilent(2 * ms);
    });
  }

  exceed(): void {
    if (this.#world.clock.happens(0.2)) {
      this.tell({ type: 'resigned' });
      return;
    }
    const limit = this.#world.clock.pick(['maxMemory', 'maxRequests'] as const) ?? 'maxMemory';
    if (this.alive) this.#world.hear({ worker: this.id, type: 'exceeded', limit, reason: limit });
  }

  /** The supervisor has an answer in any case, or makes one up. */
  tellHealth(): void {
    const { clock } = this.#world;
    const { quality } = this.#application;
    this.#servesSince ??= clock.now;
    const ill = quality === 'unhealthy' || this.hung || (quality === 'sickens' && clock.now > this.#servesSince + 100);
    const reason = ill || !this.alive || !this.#connected ? 'GET / answered 500' : null;
    clock.after(clock.between(0, 60), () => this.#world.hear({ worker: this.id, type: 'healthTold', reason }));
  }

  /** @param forMs closed again after that; null for one that is meant to stay */
  open(key: string, listens: boolean, forMs: number | null = null): void {
    const { clock } = this.#world;
    if (!this.alive || this.hung || !this.#connected || this.accepts.has(key)) return;
    const outcome = this.#world.open(this.id, this.slot, key);
    if (outcome === 'closed') this.tell({ type: 'bindFailed', key, reason: 'ECANCELED' });
    if (outcome === 'contested') this.seeming.add(key);
    if (outcome !== 'opened') return;
    this.opening.add(key);
    clock.after(clock.between(0, 20), () => {
      this.opening.delete(key);
      if (!this.alive || this.hung || !listens) return;
      this.accepts.add(key);
      this.tell({ type: 'bound', key });
      const server = {};
      this.#servers.set(key, server);
      clock.after(STEADY_MS, () => {
        const stays = this.alive && !this.hung && !this.draining && this.#servers.get(key) === server;
        if (stays) this.tell({ type: 'stayed', key });
      });
      if (this.draining) this.close(key);
      else if (forMs !== null) clock.after(forMs, () => this.close(key));
    });
  }

  /** It gets what it has only seemed to have. */
  openContested(key: string): void {
    if (this.seeming.delete(key)) this.open(key, true);
  }

  /** Whether a port is free: it listens there, and closes that at once. */
  look(key: string): void {
    const { clock } = this.#world;
    clock.after(clock.between(0, 20), () => this.open(key, true));
    clock.after(clock.between(45, 60), () => {
      if (this.seeming.delete(key)) this.tell({ type: 'closed', key });
      else this.close(key);
    });
  }

  close(key: string): void {
    if (!this.alive || this.hung || !this.accepts.delete(key)) return;
    this.#servers.delete(key);
    this.adopted = this.adopted.filter((socket) => socket.key !== key);
    this.tell({ type: 'closed', key });
    for (const [narrow, under] of this.#wider) {
      if (narrow === key || under === key) this.#wider.delete(narrow);
      if (under === key) this.close(narrow);
    }
  }

  /** The application no longer wants one of its addresses. */
  closeSome(): string | undefined {
    const key = this.#world.clock.pick([...this.accepts].filter((own) => !this.#wider.has(own)));
    if (key !== undefined) this.close(key);
    return key;
  }

  /** The application changes its mind about an address. */
  reopenSome(mostMs = 4_000): void {
    const { clock } = this.#world;
    const key = this.closeSome();
    clock.after(clock.between(50, mostMs), () => {
      if (key !== undefined && !this.draining) this.open(key, true);
    });
  }

  adopt(socket: SocketId): void {
    this.#receive(() => {
      if (this.accepts.has(socket.key) && !this.draining) this.adopted.push(socket);
      else this.tell({ type: 'notAdopted', socket });
    });
  }

  /** Its server on the wider address accepts there, too, and closes it with itself. */
  widen(socket: SocketId, under: string): void {
    this.#receive(() => {
      if (!this.accepts.has(under) || this.draining) {
        this.tell({ type: 'notAdopted', socket });
        return;
      }
      this.accepts.add(socket.key);
      this.#wider.set(socket.key, under);
      this.tell({ type: 'bound', key: socket.key });
    });
  }

  release(socket: SocketId): void {
    this.#receive(() => {
      this.adopted = this.adopted.filter(({ slot, key }) => slot !== socket.slot || key !== socket.key);
      this.tell({ type: 'released', socket });
    });
  }

  drain(): void {
    this.#askedToDrain = true;
    this.#receive(() => {
      this.draining = true;
      for (const key of [...this.accepts]) this.close(key);
      const { clock } = this.#world;
      const drainMs = clock.between(0, 400);
      // A recipient may be lost at any moment of it.
      if (clock.between(0, 3) < 1) clock.after(clock.between(0, 400), () => this.tell({ type: 'unlinked' }));
      if (!this.#stubborn.neverDrains) clock.after(drainMs, () => this.tell({ type: 'drained' }));
    });
  }

  /** Nothing is under way in it that an end would cut off. */
  get mayBeEnded(): boolean {
    return this.#askedToDrain || this.accepts.size + this.opening.size === 0;
  }

  terminate(): void {
    if (this.#stubborn.ignoresSigterm || this.hung) return;
    const { clock } = this.#world;
    clock.after(clock.between(0, 100), () => this.exit(0, null));
  }

  kill(): void {
    const { clock } = this.#world;
    clock.after(clock.between(0, 20), () => this.exit(null, 'SIGKILL'));
  }

  disconnect(): void {
    if (!this.alive || !this.#connected) return;
    this.tell({ type: 'disconnected' });
    this.#connected = false;
  }

  exit(code: number | null, signal: string | null): void {
    if (!this.alive) return;
    this.alive = false;
    this.accepts.clear();
    this.#wider.clear();
    this.opening.clear();
    this.adopted = [];
    const chance = this.#world.clock.chance();
    this.#connected = true;
    this.tell({ type: 'ended' });
    // Its output may take a moment longer to come to its end.
    const { clock } = this.#world;
    const tell = () => this.tell({ type: 'exited', code, signal, chance, lastLines: ['the last line'] });
    if (clock.happens(0.3)) clock.after(clock.between(0, 250), tell);
    else tell();
  }

  #receive(act: () => void): void {
    const { clock } = this.#world;
    if (!this.#connected) return;
    // The channel keeps the order.
    this.#lastHeardAt = Math.max(this.#lastHeardAt, clock.now) + clock.between(0, 2);
    clock.at(this.#lastHeardAt, () => {
      if (this.alive && this.#connected && !this.hung) act();
    });
  }

  tell(event: Told): void {
    const { clock } = this.#world;
    if (!this.#connected) return;
    this.#lastToldAt = Math.max(this.#lastToldAt, clock.now) + clock.between(0, 5);
    clock.at(this.#lastToldAt, () => this.#world.hear({ worker: this.id, ...event } as Heard));
  }
}
