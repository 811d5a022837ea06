/** A simulated worker process: an application of some quality, behind a channel that keeps the order but takes time. */
import type { SocketEvent } from '../../src/core/adoption/types.js';
import type { SocketId, WorkerEvent } from '../../src/core/state/types.js';
import type { Clock } from './clock.js';

export const QUALITIES = [
  'good',
  'slow',
  'looks',
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
  'probes',
  'looksAndDies',
  'reopens',
  'diesYoung',
  'closesItsServer',
] as const;

/** They come up and stay up, each in its way. */
export const GOOD: readonly Quality[] = ['good', 'slow', 'looks', 'probes', 'reopens'];

/** After which a server that has not been closed again is told to stay. */
const STEADY_MS = 30;

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
      case 'looks':
      case 'looksAndDies': {
        const bootMs = startMs + clock.between(50, 800);
        clock.after(startMs, () => this.#open(ports[0] ?? '', true, clock.between(0, 15)));
        if (quality === 'looksAndDies') clock.after(bootMs, () => this.exit(3, null));
        else for (const key of ports) clock.after(bootMs, () => this.#open(key, true));
        break;
      }
      case 'probes':
        // Until it says that it is ready, nobody takes a look for the server itself.
        if (ready === 'message') {
          for (const key of ['127.0.0.1:80', '0.0.0.0:7']) this.#look(key);
        }
        for (const [index, key] of ports.entries()) clock.after(100 + index, () => this.#open(key, true));
        break;
      default:
        for (const [index, key] of ports.entries()) {
          clock.after(startMs + index * clock.between(0, 150), () => this.#open(key, true));
        }
    }
    const readyMs = quality === 'probes' ? 150 : startMs;
    if (ready === 'message') clock.after(readyMs + clock.between(0, 200), () => this.#tell({ type: 'saidReady' }));
    if (quality === 'crashesLater') clock.after(startMs + clock.between(100, 3_000), () => this.exit(1, null));
    if (quality === 'diesYoung') clock.after(startMs + clock.between(250, 400), () => this.exit(1, null));
    if (quality === 'closesItsServer')
      clock.after(startMs + clock.between(100, 3_000), () => {
        for (const key of [...this.accepts]) this.#close(key);
      });
    // Another server answers until it is up.
    if (quality === 'reopens') clock.after(startMs + clock.between(250, 700), () => this.reopenSome(200));
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

  /** @param forMs closed again after that; null for one that is meant to stay */
  #open(key: string, listens: boolean, forMs: number | null = null): void {
    const { clock } = this.#world;
    if (!this.alive || this.hung || !this.#connected || this.accepts.has(key)) return;
    const outcome = this.#world.open(this.id, this.slot, key);
    if (outcome === 'closed') this.#tell({ type: 'bindFailed', key, reason: 'ECANCELED' });
    if (outcome === 'contested') this.seeming.add(key);
    if (outcome !== 'opened') return;
    this.opening.add(key);
    clock.after(clock.between(0, 20), () => {
      this.opening.delete(key);
      if (!this.alive || this.hung || !listens) return;
      this.accepts.add(key);
      this.#tell({ type: 'bound', key });
      const server = {};
      this.#servers.set(key, server);
      clock.after(STEADY_MS, () => {
        const stays = this.alive && !this.hung && !this.draining && this.#servers.get(key) === server;
        if (stays) this.#tell({ type: 'stayed', key });
      });
      if (this.draining) this.#close(key);
      else if (forMs !== null) clock.after(forMs, () => this.#close(key));
    });
  }

  /** It gets what it has only seemed to have. */
  openContested(key: string): void {
    if (this.seeming.delete(key)) this.#open(key, true);
  }

  /** Whether a port is free: it listens there, and closes that at once. */
  #look(key: string): void {
    const { clock } = this.#world;
    clock.after(clock.between(0, 20), () => this.#open(key, true));
    clock.after(clock.between(45, 60), () => {
      if (this.seeming.delete(key)) this.#tell({ type: 'closed', key });
      else this.#close(key);
    });
  }

  #close(key: string): void {
    if (!this.alive || this.hung || !this.accepts.delete(key)) return;
    this.#servers.delete(key);
    this.adopted = this.adopted.filter((socket) => socket.key !== key);
    this.#tell({ type: 'closed', key });
    for (const [narrow, under] of this.#wider) {
      if (narrow === key || under === key) this.#wider.delete(narrow);
      if (under === key) this.#close(narrow);
    }
  }

  /** The application no longer wants one of its addresses. */
  closeSome(): string | undefined {
    const key = this.#world.clock.pick([...this.accepts].filter((own) => !this.#wider.has(own)));
    if (key !== undefined) this.#close(key);
    return key;
  }

  /** The application changes its mind about an address. */
  reopenSome(mostMs = 4_000): void {
    const { clock } = this.#world;
    const key = this.closeSome();
    clock.after(clock.between(50, mostMs), () => {
      if (key !== undefined && !this.draining) this.#open(key, true);
    });
  }

  adopt(socket: SocketId): void {
    this.#receive(() => {
      if (this.accepts.has(socket.key) && !this.draining) this.adopted.push(socket);
      else this.#tell({ type: 'notAdopted', socket });
    });
  }

  /** Its server on the wider address accepts there, too, and closes it with itself. */
  widen(socket: SocketId, under: string): void {
    this.#receive(() => {
      if (!this.accepts.has(under) || this.draining) {
        this.#tell({ type: 'notAdopted', socket });
        return;
      }
      this.accepts.add(socket.key);
      this.#wider.set(socket.key, under);
      this.#tell({ type: 'bound', key: socket.key });
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
      // A recipient may be lost at any moment of it.
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
    this.#wider.clear();
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
