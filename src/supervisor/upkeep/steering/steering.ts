/**
 * Steering at work: looks at the accept queues, asks a worker whose queue does not empty for a sign of life, and has the
 * kernel choose by the weights that the core comes to.
 *
 * Nothing is decided here: `core/steering` does. The looks go past the core, which hears nothing of them: they are many a
 * second. What they find and is new is told to the table of sockets (`core/adoption`).
 */
import type { SocketEvent } from '../../../core/adoption/types.js';
import type { State } from '../../../core/state/types.js';
import { nextLook, type Seen } from '../../../core/steering/cadence.js';
import {
  answered,
  averageAt,
  excused,
  isAtRest,
  isAvoided,
  isIdle,
  needsAnyHelp,
  type Patience,
  type QueueState,
  quietQueue,
  reliefAt,
  sample,
} from '../../../core/steering/congestion.js';
import { ownAcceptors } from '../../../core/steering/facts.js';
import type { Log } from '../../../logs/logger.js';
import type { Native } from '../../../native/libc.js';
import type { CustodySocket, SteeredSockets } from '../../../sockets/custody/custody.js';
import type { Stats } from '../../workers/questions/stats.js';
import { Alarm } from './alarm.js';
import { OpenConnections } from './open-connections.js';
import { type Helper, Helpers } from './steering-helpers.js';
import { SteeringPrograms } from './steering-programs.js';

/** A queue that is not empty twice within this time raises a suspicion. */
const SUSPECT_AFTER_MS = 2;
/** With affinity a client is sent elsewhere only if its own slot hangs, not if it is busy: its session is there. */
const HANGS_AFTER_MS = 1_000;
/** After a fault it is tried again; each time that fails, twice as long is waited. */
const RETRY_MS = 1_000;
const MOST_RETRY_MS = 60_000;

export interface SteeringOptions {
  readonly groups: SteeredSockets;
  readonly native: Native;
  readonly log: Log;
  readonly affinity: 'none' | 'client-ip';
  readonly adoptAfterMs: number;
  /** What one look has found is told at once. */
  readonly dispatch: (...events: readonly SocketEvent[]) => void;
  /** Asks a worker for its figures; the answer comes by `heard`, if it does. */
  readonly ask: (worker: number) => void;
}

/** What a look has found in a queue, and what was there before. */
interface Looked {
  readonly socket: CustodySocket;
  readonly before: QueueState | undefined;
  readonly after: QueueState;
}

export class Steering {
  readonly #options: SteeringOptions;
  readonly #patience: Patience;
  #state: State;
  readonly #queues = new Map<CustodySocket, QueueState>();
  readonly #programs: SteeringPrograms;
  readonly #connections: OpenConnections;
  readonly #toldCongested = new Map<CustodySocket, number>();
  readonly #alarm = new Alarm(() => this.#look(false));
  #seen: Seen = { lastAt: Number.NEGATIVE_INFINITY, beforeAt: Number.NEGATIVE_INFINITY };
  /** Whether the next connection is being waited for. */
  #waiting = false;
  /** When the programs are to be looked over, whether connections come or not: a slow start goes on. */
  #programAt: number | null = null;
  /** Whether the programs were left as they are unseen: what would change is not known. */
  #kept = false;
  /** Set after a fault: until then the kernel chooses by its hash. */
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS;
  #closed = false;

  constructor(options: SteeringOptions, state: State) {
    const { affinity, adoptAfterMs } = options;
    this.#options = options;
    this.#state = state;
    this.#programs = new SteeringPrograms(options);
    this.#connections = new OpenConnections(options.ask);
    this.#patience =
      affinity === 'none'
        ? { suspectAfterMs: Math.min(SUSPECT_AFTER_MS, adoptAfterMs), adoptAfterMs, sticky: false }
        : { suspectAfterMs: HANGS_AFTER_MS, adoptAfterMs: Math.max(HANGS_AFTER_MS, adoptAfterMs), sticky: true };
  }

  get programs(): Pick<SteeringPrograms, 'weights' | 'failure'> {
    return this.#programs;
  }

  /** Something has happened to workers or sockets. */
  review(state: State): void {
    this.#state = state;
    this.#guarded(() => {
      const present = new Set(this.#options.groups.list().flat());
      for (const map of [this.#queues, this.#toldCongested]) {
        for (const socket of map.keys()) if (!present.has(socket)) map.delete(socket);
      }
      this.#connections.review(state);
      this.#program();
      this.#sleep(performance.now());
    });
  }

  /** A worker has told its figures: a sign of life on all sockets that it accepts on as their own. */
  heard(id: number, stats: Stats): void {
    if (!this.#state.workers.some((worker) => worker.id === id)) return;
    const isNews = this.#connections.told(id, stats);
    this.#guarded(() => {
      const now = performance.now();
      let changed = isNews;
      for (const [socket, queue] of this.#queues) {
        const after = answered(queue, now);
        if (after === queue || !ownAcceptors(this.#state, socket).some((worker) => worker.id === id)) continue;
        this.#queues.set(socket, after);
        changed = true;
      }
      // Most answers of workers that have nothing to do are news to nobody.
      if (changed) this.#program(true);
    });
  }

  close(): void {
    this.#closed = true;
    this.#alarm.stop();
    clearTimeout(this.#retry);
  }

  /** Workers serve without it as well: nothing that goes wrong here may end the supervisor. */
  #guarded(act: () => void): void {
    if (this.#closed || this.#retry !== undefined) return;
    try {
      act();
    } catch (error) {
      this.#pause(error);
      this.#options.dispatch({ type: 'steeringFailed' });
    }
  }

  /** The kernel chooses by its hash for a while. */
  #pause(error: unknown): void {
    this.#alarm.stop();
    this.#programs.giveUp(error instanceof Error ? error.message : String(error));
    this.#retry = setTimeout(() => this.#tryAgain(), this.#retryMs);
    this.#retryMs = Math.min(MOST_RETRY_MS, 2 * this.#retryMs);
  }

  #tryAgain(): void {
    this.#retry = undefined;
    if (this.#closed) return;
    try {
      this.#programs.recover();
      this.#queues.clear();
      this.#program();
    } catch (error) {
      this.#pause(error);
      return;
    }
    this.#retryMs = RETRY_MS;
    this.#options.log.logger.info({}, 'steering works again');
    this.#options.dispatch({ type: 'steeringWorks' });
    this.#guarded(() => this.#sleep(performance.now()));
  }

  /** @param hasCome whether a connection is known to have come, though it may have been accepted already */
  #look(hasCome: boolean): void {
    this.#guarded(() => this.#lookAt(hasCome));
  }

  #lookAt(hasCome: boolean): void {
    const { groups } = this.#options;
    const now = performance.now();
    const readable = new Set(groups.readable());
    if (hasCome || readable.size > 0) {
      this.#seen = { lastAt: now, beforeAt: this.#seen.lastAt };
      this.#connections.count(this.#state, now);
    }
    let changed = false;
    const congested: Looked[] = [];
    for (const group of groups.list()) {
      for (const socket of group) {
        const before = this.#queues.get(socket);
        const waits = readable.has(socket);
        if (!waits && (before === undefined || isAtRest(before))) continue;
        const length = waits ? (groups.queue(socket)?.length ?? 0) : 0;
        const sampled = sample(before ?? quietQueue(now), length, now, this.#patience);
        const after = sampled.askedAt === null ? sampled : this.#askBehind(socket, sampled);
        this.#queues.set(socket, after);
        changed = true;
        if (after.congested || before?.congested) congested.push({ socket, before, after });
      }
    }
    // Only now is it known who has time.
    if (congested.length > 0) this.#tell(congested, now);
    if (changed || (this.#programAt !== null && now >= this.#programAt)) this.#program(true);
    this.#sleep(now);
  }

  /** For a sign of life. */
  #askBehind(socket: CustodySocket, queue: QueueState): QueueState {
    const acceptors = ownAcceptors(this.#state, socket);
    for (const worker of acceptors) this.#connections.ask(worker.id);
    return acceptors.length === 0 ? excused(queue) : queue;
  }

  #tell(congested: readonly Looked[], now: number): void {
    const helpers = new Helpers(() => this.#helpers(this.#options.groups.list().flat(), now));
    const news = congested.flatMap(({ socket, before, after }) => this.#newsOf(socket, before, after, helpers, now));
    if (news.length > 0) this.#options.dispatch(...news);
  }

  #newsOf(
    socket: CustodySocket,
    before: QueueState | undefined,
    after: QueueState,
    helpers: Helpers,
    now: number,
  ): SocketEvent[] {
    const { slot, key } = socket;
    if (after.congested) {
      // Said again while connections wait: those who had no time for them may have it by now.
      const toldAt = this.#toldCongested.get(socket) ?? Number.NEGATIVE_INFINITY;
      if (after.standingSince === null || now - toldAt < this.#patience.adoptAfterMs) return [];
      this.#toldCongested.set(socket, now);
      return [{ type: 'congested', socket: { slot, key }, helpers: helpers.of(socket, needsAnyHelp(after, now)) }];
    }
    if (!before?.congested) return [];
    this.#toldCongested.delete(socket);
    return [{ type: 'relieved', socket: { slot, key } }];
  }

  /** Who could help with what waits elsewhere, the idlest first. */
  #helpers(sockets: readonly CustodySocket[], now: number): Helper[] {
    const avoided = this.#avoidedSlots(now);
    const all = sockets.flatMap((socket): Helper[] => {
      const { slot } = socket;
      if (slot === null || avoided.has(slot)) return [];
      const queue = this.#queues.get(socket);
      const length = queue === undefined ? 0 : averageAt(queue, now);
      const idle = queue === undefined || isIdle(queue, now);
      return [{ socket, slot, idle, length, connections: this.#connections.openIn(this.#state, slot) ?? 0 }];
    });
    return all.sort((a, b) => a.length - b.length || a.connections - b.connections);
  }

  /** A worker has one event loop, however many sockets it accepts on. */
  #avoidedSlots(now: number): ReadonlySet<number | null> {
    const slots = new Set<number | null>();
    for (const [socket, queue] of this.#queues) if (isAvoided(queue, this.#patience, now)) slots.add(socket.slot);
    return slots;
  }

  /** @param mayWait nothing has changed but queues, connections, and who is avoided */
  #program(mayWait = false): void {
    const now = performance.now();
    const avoided = this.#avoidedSlots(now);
    this.#kept = mayWait && this.#programs.keep(avoided, now);
    if (this.#kept) {
      this.#programAt = this.#programs.settledAt;
      return;
    }
    const observe = (socket: CustodySocket) => ({
      queue: this.#queues.get(socket),
      connections: socket.slot === null ? null : this.#connections.openIn(this.#state, socket.slot),
    });
    this.#programAt = this.#programs.apply(this.#state, observe, avoided, now);
  }

  /** Until the next look: for a time, or for the next connection. */
  #sleep(now: number): void {
    if (this.#closed) return;
    const delayMs = nextLook(this.#queues.values(), this.#seen, this.#patience, now);
    if (delayMs !== null) {
      this.#alarm.set(delayMs);
      return;
    }
    // It is not woken up for a change that there may not be.
    if (this.#kept) this.#program();
    let dueAt = this.#programAt ?? Number.POSITIVE_INFINITY;
    for (const queue of this.#queues.values()) dueAt = Math.min(dueAt, reliefAt(queue));
    if (dueAt < Number.POSITIVE_INFINITY) this.#alarm.set(Math.max(1, Math.ceil(dueAt - now)));
    else this.#alarm.stop();
    if (this.#waiting) return;
    this.#waiting = true;
    void this.#options.groups.wait().then((hasCome) => {
      this.#waiting = false;
      if (hasCome) this.#look(true);
      else this.#guarded(() => this.#sleep(performance.now()));
    });
  }
}
