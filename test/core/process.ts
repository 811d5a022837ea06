/** A simulated worker process: an application of some quality, behind a channel that keeps the order but takes time. */
import type { SocketEvent } from '../../src/core/adoption/types.js';
import type { SocketId, WorkerEvent } from '../../src/core/types.js';
import type { Clock } from './clock.js';

export const QUALITIES = [
  'good',
  'slow',
  'neverReady',
  'crashesAtStart',
  'crashesLater',
  'listensElsewhere',
  'cannotBind',
  'unhealthy',
  'sickens',
  'hangs',
  'leaks',
  'exitsForGood',
] as const;

/** By which an application says that it is not to be replaced. */
export const STOP_EXIT_CODE = 64;
export type Quality = (typeof QUALITIES)[number];

export interface Application {
  readonly quality: Quality;
  readonly ready: 'listening' | 'message' | 'running';
  readonly ports: readonly string[];
}

/** What a worker tells, of itself or of sockets that it was lent. */
export type Heard = WorkerEvent | Extract<SocketEvent, { type: 'released' | 'notAdopted' }>;
type Told = Heard extends infer E ? (E extends { worker: number } ? Omit<E, 'worker'> : never) : never;

/** The supervisor's side of the process. */
export interface Surroundings {
  readonly clock: Clock;
  hear(event: Heard): void;
  /** Custody opens the socket if there is none; false when it is closed for good. */
  open(worker: number, slot: number, key: string): boolean;
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
    this.#tell({ type: 'spawned', pid: 1_000 + id });
    clock.after(clock.between(5, 100), () => this.#run());
  }

  #run(): void {
    const { clock } = this.#world;
    const { quality, ready, ports } = this.#application;
    const startMs = quality === 'slow' ? clock.between(300, 1_200) : clock.between(0, 100);
    switch (quality) {
      case 'neverReady':
        if (ready === 'message' || clock.happens(0.3)) clock.after(startMs, () => this.#open('0.0.0.0:1', false));
        return;
      case 'crashesAtStart':
        if (clock.happens(0.5)) clock.after(startMs, () => this.#open(ports[0] ?? '', false));
        clock.after(startMs + clock.between(0, 20), () => this.exit(1, null));
        return;
      case 'cannotBind':
        clock.after(startMs, () => this.#tell({ type: 'bindFailed', key: ports[0] ?? '', reason: 'EADDRINUSE' }));
        if (clock.happens(0.5)) clock.after(startMs + 20, () => this.exit(1, null));
        return;
      case 'listensElsewhere':
        clock.after(startMs, () => this.#open('0.0.0.0:9999', true));
        break;
      default:
        for (const [index, key] of ports.entries()) {
          clock.after(startMs + index * clock.between(0, 150), () => this.#open(key, true));
        }
    }
    if (ready === 'message') clock.after(startMs + clock.between(0, 200), () => this.#tell({ type: 'saidReady' }));
    if (quality === 'crashesLater') clock.after(startMs + clock.between(100, 3_000), () => this.exit(1, null));
    if (quality === 'hangs') clock.after(startMs + clock.between(100, 3_000), () => this.hang());
    if (quality === 'leaks') clock.after(startMs + clock.between(500, 5_000), () => this.exceed());
    if (quality === 'exitsForGood')
      clock.after(startMs + clock.between(50, 3_000), () => this.exit(STOP_EXIT_CODE, null));
  }

  /** Its loop turns no more, and the supervisor finds out after a while. */
  hang(): void {
    const { clock } = this.#world;
    if (!this.alive || this.hung) return;
    this.hung = true;
    clock.after(clock.between(200, 500), () => this.#world.hear({ worker: this.id, type: 'hung', silentMs: 500 }));
  }

  exceed(): void {
    if (this.#world.clock.happens(0.2)) {
      this.#tell({ type: 'resigned' });
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

  #open(key: string, listens: boolean): void {
    const { clock } = this.#world;
    if (!this.alive || this.hung || !this.#connected || this.accepts.has(key)) return;
    if (!this.#world.open(this.id, this.slot, key)) {
      this.#tell({ type: 'bindFailed', key, reason: 'ECANCELED' });
      return;
    }
    this.opening.add(key);
    clock.after(clock.between(0, 20), () => {
      this.opening.delete(key);
      if (!this.alive || this.hung || !listens) return;
      this.accepts.add(key);
      this.#tell({ type: 'bound', key });
      if (this.draining) this.#close(key);
    });
  }

  #close(key: string): void {
    if (!this.alive || this.hung || !this.accepts.delete(key)) return;
    this.adopted = this.adopted.filter((socket) => socket.key !== key);
    this.#tell({ type: 'closed', key });
  }

  /** The application no longer wants one of its addresses. */
  closeSome(): string | undefined {
    const key = this.#world.clock.pick([...this.accepts]);
    if (key !== undefined) this.#close(key);
    return key;
  }

  /** The application changes its mind about an address. */
  reopenSome(): void {
    const { clock } = this.#world;
    const key = this.closeSome();
    clock.after(clock.between(50, 4_000), () => {
      if (key !== undefined && !this.draining) this.#open(key, true);
    });
  }

  adopt(socket: SocketId): void {
    this.#receive(() => {
      if (this.accepts.has(socket.key) && !this.draining) this.adopted.push(socket);
      else this.#tell({ type: 'notAdopted', socket });
    });
  }

  release(socket: SocketId): void {
    this.#receive(() => {
      this.adopted = this.adopted.filter(({ slot, key }) => slot !== socket.slot || key !== socket.key);
      this.#tell({ type: 'released', socket });
    });
  }

  drain(): void {
    this.#askedToDrain = true;
    this.#receive(() => {
      this.draining = true;
      for (const key of [...this.accepts]) this.#close(key);
      const { clock } = this.#world;
      const drainMs = clock.between(0, 400);
      // An heir may be lost at any moment of it.
      if (clock.between(0, 3) < 1) clock.after(clock.between(0, 400), () => this.#tell({ type: 'unlinked' }));
      if (!this.#stubborn.neverDrains) clock.after(drainMs, () => this.#tell({ type: 'drained' }));
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
    this.#tell({ type: 'disconnected' });
    this.#connected = false;
  }

  exit(code: number | null, signal: string | null): void {
    if (!this.alive) return;
    this.alive = false;
    this.accepts.clear();
    this.opening.clear();
    this.adopted = [];
    const chance = this.#world.clock.chance();
    this.#connected = true;
    this.#tell({ type: 'ended' });
    // Its output may take a moment longer to come to its end.
    const { clock } = this.#world;
    const tell = () => this.#tell({ type: 'exited', code, signal, chance, lastLines: ['the last line'] });
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

  #tell(event: Told): void {
    const { clock } = this.#world;
    if (!this.#connected) return;
    this.#lastToldAt = Math.max(this.#lastToldAt, clock.now) + clock.between(0, 5);
    clock.at(this.#lastToldAt, () => this.#world.hear({ worker: this.id, ...event } as Heard));
  }
}
