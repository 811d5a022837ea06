/**
 * Takes the workers of a supervisor that has gone over, and leaves what the next one needs. Finds them, lets them in, and brings
 * their sockets into custody; who stays is the core's to decide.
 *
 * Made before the supervisor, opened once it has its name: only then can no other supervisor of that name be there.
 */

import type { State } from '../../core/state/types.js';
import type { AnyEvent } from '../../core/supervision.js';
import type { Log } from '../../logs/logger.js';
import type { ExitStatus } from '../../native/exec.js';
import type { NativeLoad } from '../../native/libc.js';
import type { Custody } from '../../sockets/custody/custody.js';
import type { SharedSockets } from '../../sockets/custody/shared.js';
import type { TcpHandle } from '../../sockets/handles/handle.js';
import type { Arrival, AttachServer } from './attach/attach-server.js';
import { KeptState } from './kept-state.js';
import { type Ended, Ends } from './orphans/ends.js';
import {
  attachPath,
  type FoundOrphan,
  findOrphans,
  ownChildren,
  type ProcessMark,
  parentOf,
  signalProcess,
  statePath,
} from './orphans/orphans.js';
import { onlyOwn } from './orphans/own-orphans.js';
import type { Snapshot } from './orphans/snapshot.js';
import { seizeFrom } from './seize.js';
import { takeSeized, takeSocket } from './take-socket.js';

/** A supervisor that has passed on to this one, by exec: the workers are children of this process. */
export interface PassedWorkers {
  readonly before: Snapshot;
  readonly collect: (pid: number) => ExitStatus | null;
}

export interface TakeoverOptions {
  readonly runtimeDir: string;
  readonly name: string;
  readonly version: string;
  readonly native: NativeLoad;
  readonly log: Log;
  readonly passed?: PassedWorkers | null;
}

export interface TakeoverParts {
  readonly custody: Custody;
  readonly shared: SharedSockets;
  readonly dispatch: (...events: AnyEvent[]) => void;
  /** Whether there is no worker of that number, or only one that has been given up. */
  readonly mayAttach: (worker: number) => boolean;
  /** A worker has a socket that all share. */
  readonly onHeld: (key: string, worker: number) => void;
}

export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #attachAt: string;
  readonly #state: KeptState;
  readonly #ends: Ends;
  readonly #childEnded = () => this.#ends.lookSoon();
  readonly #arrivals = new Map<number, Arrival>();
  #parts: TakeoverParts | null = null;
  #server: AttachServer | null = null;
  #orphans: readonly FoundOrphan[] = [];
  #isOver = false;
  #keeping = false;
  #closed = false;
  #settled: () => void = () => {};

  /** Resolves when nobody is waited for any more: until then no worker gets a socket. */
  readonly settled: Promise<void>;
  /** Addresses of which the order of the sockets is not known, so that they are not steered. */
  unsteered: readonly string[] = [];

  constructor(options: TakeoverOptions) {
    this.#options = options;
    this.#attachAt = attachPath(options.runtimeDir, options.name);
    this.#ends = new Ends(options.passed?.collect);
    this.#state = new KeptState({ ...options, path: statePath(options.runtimeDir, options.name) });
    this.settled = new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  /** Looks for orphans, and lets them come. The name must have been taken. @returns whether there are any */
  async open(): Promise<boolean> {
    const { log, native, passed } = this.#options;
    const found = findOrphans(this.#attachAt, undefined, passed != null);
    if (passed != null) this.#goOnWith(passed, found);
    else if (found.length > 0) await this.#state.read();
    this.#orphans = onlyOwn(found, this.#state.before?.workers ?? []);
    for (const { pid } of found.filter((one) => !this.#orphans.includes(one))) {
      log.logger.warn({ pid }, 'a program of another user looks like a worker of this supervisor, and is left alone');
    }
    // Nobody can come then, and few starts need what lets them in.
    if (this.#orphans.length === 0) return false;
    try {
      const { AttachServer } = await import('./attach/attach-server.js');
      this.#server = await AttachServer.open({
        path: this.#attachAt,
        native,
        onArrival: (arrival) => this.#arrived(arrival),
        onRefused: (reason, who) => log.logger.warn({ reason, ...who }, 'who wanted to attach is refused'),
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.logger.warn(
        { reason, hint: 'they drain and end; this supervisor starts new ones' },
        'cannot take over the workers of the previous supervisor',
      );
    }
    return true;
  }

  #goOnWith({ before }: PassedWorkers, orphans: readonly FoundOrphan[]): void {
    this.#state.goOnWith(before);
    process.on('SIGCHLD', this.#childEnded);
    const workers = new Set(orphans.map(({ pid }) => pid));
    // Nobody else waits for what the program before has started, such as what tells of an event.
    for (const [i, mark] of ownChildren().entries()) {
      if (!workers.has(mark.pid)) this.#watch(-1 - i, mark, () => {});
    }
  }

  /** null where there is none that is known of. */
  get before(): Snapshot | null {
    return this.#state.before;
  }

  /** What the next one is to know. */
  snapshotOf(state: State, configuredSize: number, custody: Custody): Snapshot {
    return this.#state.snapshotOf(state, configuredSize, custody);
  }

  /**
   * Right before the start. Whoever has come by then is told of as well.
   *
   * @param kept of sockets that are in custody already: nobody is started for them before it is known who is to come
   */
  begin(parts: TakeoverParts, kept: readonly AnyEvent[] = []): void {
    this.#parts = parts;
    if (this.#orphans.length === 0) this.#over();
    for (const orphan of this.#orphans)
      this.#watch(orphan.worker, orphan, (status) => this.#tellEnd(orphan.worker, status));
    const orphans = this.#orphans.map(({ worker, slot, generation, pid }) => ({ worker, slot, generation, pid }));
    const { before } = this.#state;
    const found: AnyEvent = { type: 'orphansFound', orphans, ...(before !== null && { before }) };
    parts.dispatch(...(orphans.length > 0 ? [found] : []), ...kept);
    for (const arrival of this.#arrivals.values()) this.#introduce(arrival);
  }

  #arrived(arrival: Arrival): void {
    const { worker } = arrival.attach;
    if (this.#closed || this.#arrivals.has(worker)) {
      refuse(arrival);
      return;
    }
    this.#arrivals.set(worker, arrival);
    arrival.process.cluster.process.once('disconnect', () => this.#ends.lookSoon());
    if (this.#parts !== null) this.#introduce(arrival);
  }

  #introduce(arrival: Arrival): void {
    const { attach, sockets, orphan } = arrival;
    const { dispatch, onHeld, mayAttach } = this.#parts as TakeoverParts;
    // Before its sockets are anybody's: one of that number is there already.
    if (!mayAttach(attach.worker)) {
      this.#arrivals.delete(attach.worker);
      refuse(arrival);
      return;
    }
    const { worker, slot, generation, pid, uptimeMs, saidReady, held, listening, steady, draining, drained } = attach;
    const events: AnyEvent[] = [
      {
        ...{ type: 'attached', worker, slot, generation, pid, uptimeMs, saidReady, held },
        ...{ listening, steady, draining, drained },
      },
    ];
    for (const { key, slot: of, handle } of sockets) {
      const socket = takeSocket(
        handle as TcpHandle,
        { key, slot: of },
        this.#parts as TakeoverParts,
        this.#options.native,
      );
      if (socket === null) continue;
      if (/^(?:unix|udp):/.test(key)) onHeld(key, worker);
      // Those of other slots are on loan, and are let go of by the worker.
      const isOwn = of === slot;
      events.push({ type: 'socketOpened', socket, listened: true, ...(isOwn && { worker }) });
    }
    dispatch(...events);
    // What comes late belongs to groups that are steered already.
    if (this.#isOver) this.#joinTaken();
    this.#watch(worker, orphan, (status) => arrival.process.ended(status), arrival.process.cluster.process);
  }

  /** @param channel with whose end `lookSoon` is called; of a child of this process a signal tells */
  #watch(worker: number, mark: ProcessMark, ended: Ended, channel = { connected: false }): void {
    const isChild = this.#options.passed != null && parentOf(mark.pid) === process.pid;
    this.#ends.watch(worker, mark, ended, () => isChild || channel.connected);
  }

  /** What the core takes in; undefined where it has gone meanwhile. */
  take(worker: number): Arrival | undefined {
    const arrival = this.#arrivals.get(worker);
    this.#arrivals.delete(worker);
    return arrival;
  }

  /** Of one that did not attach. Answered by `seized`. */
  seize(worker: number): void {
    const { native } = this.#options;
    const parts = this.#parts as TakeoverParts;
    const orphan = this.#orphans.find((other) => other.worker === worker);
    const reason = seizeFrom(orphan, native, (fd, { slot }) =>
      takeSeized(fd, slot, parts, { native, known: this.#state }),
    );
    parts.dispatch({ type: 'seized', worker, reason });
  }

  /** One that did not attach, and what it has started. @returns whether it is one of those */
  kill(worker: number, keepsChildren: boolean): boolean {
    const mark = this.#ends.markOf(worker);
    if (mark === undefined) return false;
    signalProcess(mark, 'SIGKILL', !keepsChildren);
    this.#ends.lookSoon();
    return true;
  }

  /** All are settled: those who wait for sockets get them. */
  end(): void {
    this.#joinTaken();
    this.#over();
  }

  #over(): void {
    this.#isOver = true;
    this.#settled();
  }

  #joinTaken(): void {
    const { custody } = this.#parts as TakeoverParts;
    const unknown = custody.joinTaken(({ handle }) => this.#state.knownAs(handle)?.index ?? null);
    if (unknown.length === 0) return;
    this.unsteered = [...this.unsteered, ...unknown];
    const reason = 'the order of their sockets is not known';
    this.#options.log.logger.warn({ addresses: unknown, reason }, 'addresses are not steered until the next start');
  }

  /** Writes what the next supervisor has to know, if that has changed. */
  keep(state: State, configuredSize: number): void {
    if (this.#keeping || state.takeover !== null) return;
    this.#keeping = true;
    // Once for all that happens in a turn: the state is the same object, as it is by then.
    setImmediate(() => {
      this.#keeping = false;
      if (this.#parts !== null && !this.#closed) this.#state.keep(state, configuredSize, this.#parts.custody);
    });
  }

  /**
   * Nobody is left to be taken over, unless workers are left to the next one. Never rejects.
   *
   * @param leaves also where it has not begun: those from before wait for another one
   */
  async close(leaves = false): Promise<void> {
    const stay = leaves || (this.#parts === null && this.#orphans.length > 0);
    this.#closed = true;
    process.removeListener('SIGCHLD', this.#childEnded);
    this.#ends.close();
    for (const arrival of this.#arrivals.values()) refuse(arrival);
    this.#arrivals.clear();
    await this.#server?.close(stay).catch(() => {});
    if (stay) await this.#state.settled();
    else await this.#state.remove();
  }

  #tellEnd(worker: number, status: ExitStatus | null): void {
    const { code = null, signal = null } = status ?? {};
    const told = { code, signal, lastLines: [], chance: Math.random(), isUntold: status === null };
    this.#parts?.dispatch({ type: 'exited', worker, ...told });
  }
}

function refuse({ outputs, sockets, process }: Arrival): void {
  for (const handle of [...outputs, ...sockets.map(({ handle }) => handle)]) handle.close();
  const { process: child } = process.cluster;
  if (child.connected) child.disconnect();
  process.ended();
}
