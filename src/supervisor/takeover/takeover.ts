/**
 * Takes the workers of a supervisor that has gone over, and leaves what the next one needs. Finds them, lets them in, and brings
 * their sockets into custody; who stays is the core's to decide.
 *
 * Made before the supervisor, opened once it has its name: only then can no other supervisor of that name be there.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AnyEvent } from '../../core/supervision.js';
import type { SocketId, State } from '../../core/types.js';
import type { Log } from '../../logs/logger.js';
import type { NativeLoad } from '../../native/libc.js';
import { addressKey } from '../../sockets/address.js';
import type { Custody } from '../../sockets/custody.js';
import { type TcpHandle, wrapFd } from '../../sockets/handle.js';
import { placeOf } from '../../sockets/inherit.js';
import type { SharedSockets } from '../../sockets/shared.js';
import type { SharedHandle } from '../../sockets/shared-bind.js';
import { type Arrival, AttachServer } from './attach-server.js';
import { attachPath, type FoundOrphan, findOrphans, isThere, type ProcessMark, signalProcess } from './orphans.js';
import { seizeSockets } from './seize.js';
import { type KeptSocket, readSnapshot, type Snapshot, SnapshotFile } from './snapshot.js';

export interface TakeoverOptions {
  readonly runtimeDir: string;
  readonly name: string;
  readonly version: string;
  readonly native: NativeLoad;
  readonly log: Log;
}

export interface TakeoverParts {
  readonly custody: Custody;
  readonly shared: SharedSockets;
  readonly dispatch: (...events: AnyEvent[]) => void;
  /** A worker has a socket that all share. */
  readonly onHeld: (key: string, worker: number) => void;
}

/** They are nobody's children here, so nobody is told when they end: how often it is looked. */
const LOOK_MS = 200;
/** The same when a channel has ended, which most often is an end of the process. */
const LOOK_SOON_MS = 10;
const SOON_MS = 1_000;

export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #attachAt: string;
  readonly #file: SnapshotFile;
  readonly #cookies = new WeakMap<object, string | null>();
  readonly #arrivals = new Map<number, Arrival>();
  /** Workers that this process has not started: what is to be done when one has ended. */
  readonly #watched = new Map<number, { readonly mark: ProcessMark; readonly ended: () => void }>();
  #parts: TakeoverParts | null = null;
  #server: AttachServer | null = null;
  #orphans: readonly FoundOrphan[] = [];
  #before: Snapshot | null = null;
  #timer: NodeJS.Timeout | undefined;
  #soonUntil = 0;
  #closed = false;
  #settled: () => void = () => {};

  /** Resolves when nobody is waited for any more: until then no worker gets a socket. */
  readonly settled: Promise<void>;
  /** Addresses of which the order of the sockets is not known, so that they are not steered. */
  unsteered: readonly string[] = [];

  constructor(options: TakeoverOptions) {
    this.#options = options;
    this.#attachAt = attachPath(options.runtimeDir, options.name);
    this.#file = new SnapshotFile(path.join(path.dirname(this.#attachAt), `${options.name}.state`), (reason) => {
      options.log.logger.warn({ reason }, 'state for the next supervisor cannot be written');
    });
    this.settled = new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  /**
   * Looks for orphans, and lets them come. The name must have been taken.
   *
   * @returns whether there are any
   */
  async open(): Promise<boolean> {
    const { log, native } = this.#options;
    this.#orphans = findOrphans(this.#attachAt);
    if (this.#orphans.length > 0) this.#before = await this.#readBefore();
    try {
      this.#server = await AttachServer.open({
        path: this.#attachAt,
        native,
        onArrival: (arrival) => this.#arrived(arrival),
        onRefused: (reason, who) => log.logger.warn({ reason, ...who }, 'who wanted to attach is refused'),
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.logger.warn({ reason, hint: 'they drain, and end by themselves' }, 'workers from before cannot attach');
    }
    return this.#orphans.length > 0;
  }

  async #readBefore(): Promise<Snapshot | null> {
    const { log } = this.#options;
    const written = await readFile(this.#file.path, 'utf8').catch(() => null);
    if (written === null) return null;
    const read = readSnapshot(written);
    if (read.ok) return read.snapshot;
    log.logger.warn({ reason: read.reason, file: this.#file.path }, 'state of the supervisor before cannot be read');
    return null;
  }

  /** Right before the start. Whoever has come by then is told of as well. */
  begin(parts: TakeoverParts): void {
    this.#parts = parts;
    if (this.#orphans.length === 0) {
      this.#settled();
      return;
    }
    for (const orphan of this.#orphans) this.#watch(orphan, () => this.#tellEnd(orphan.worker));
    const orphans = this.#orphans.map(({ worker, slot, generation, pid }) => ({ worker, slot, generation, pid }));
    parts.dispatch({ type: 'orphansFound', orphans, ...(this.#before !== null && { before: this.#before }) });
    for (const arrival of this.#arrivals.values()) this.#introduce(arrival);
  }

  #arrived(arrival: Arrival): void {
    const { worker } = arrival.attach;
    if (this.#closed || this.#arrivals.has(worker)) {
      refuse(arrival);
      return;
    }
    this.#arrivals.set(worker, arrival);
    arrival.process.cluster.process.once('disconnect', () => this.#lookSoon());
    if (this.#parts !== null) this.#introduce(arrival);
  }

  #introduce(arrival: Arrival): void {
    const { attach, sockets, orphan } = arrival;
    const { dispatch, onHeld } = this.#parts as TakeoverParts;
    const { worker, slot, generation, pid, uptimeMs, saidReady, held, listening, steady, draining, drained } = attach;
    const events: AnyEvent[] = [
      {
        ...{ type: 'attached', worker, slot, generation, pid, uptimeMs, saidReady, held },
        ...{ listening, steady, draining, drained },
      },
    ];
    for (const { key, slot: of, handle } of sockets) {
      const socket = this.#takeSocket(handle as TcpHandle, key, of);
      if (socket === null) continue;
      if (/^(?:unix|udp):/.test(key)) onHeld(key, worker);
      // Those of other slots are on loan, and are let go of by the worker.
      const isOwn = of === slot;
      events.push({ type: 'socketOpened', socket, listened: true, ...(isOwn && { worker }) });
    }
    // Whom the core does not take in is somebody whom it knows already.
    dispatch(...events);
    if (this.#arrivals.delete(worker)) {
      refuse(arrival);
      return;
    }
    this.#watch(orphan, () => arrival.process.ended());
  }

  /** @returns null where it cannot be kept: the worker goes on to hold it */
  #takeSocket(handle: TcpHandle, key: string, slot: number): SocketId | null {
    const { custody, shared } = this.#parts as TakeoverParts;
    const { native } = this.#options;
    if (key.startsWith('unix:')) {
      const host = key.slice('unix:'.length);
      shared.takeOver({ kind: 'unix', handle, host, port: 0, family: 4, ipv6Only: false }, key);
    } else {
      const place = typeof handle.getsockname === 'function' ? placeOf(handle, native) : null;
      if (place === null) {
        handle.close();
        return null;
      }
      if (!key.startsWith('udp:')) {
        custody.takeOver({ handle, ...place }, key, slot);
        const socket = custody.find(slot, key);
        return socket === undefined ? null : { slot: socket.slot, key };
      }
      shared.takeOver({ kind: 'udp', handle: handle as unknown as SharedHandle, ...place }, key);
    }
    return { slot: null, key };
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
    const { custody, dispatch } = this.#parts as TakeoverParts;
    const orphan = this.#orphans.find((other) => other.worker === worker);
    const peers = native.ok ? native.native.peers() : null;
    let reason: string | null = null;
    if (orphan === undefined || peers === null) reason = native.ok ? 'this system does not let us' : native.reason;
    else {
      try {
        for (const fd of seizeSockets(peers, orphan.pid)) {
          const handle = wrapFd(fd);
          const known = this.#keptAs(handle);
          const place = placeOf(handle, native);
          if (place === null) {
            handle.close();
            continue;
          }
          const key = known?.key ?? addressKey({ ...place, ordinal: 0 });
          const slot = known?.slot ?? orphan.slot;
          custody.takeOver({ handle, ...place }, key, slot);
          const socket = custody.find(slot, key);
          if (socket !== undefined)
            dispatch({ type: 'socketOpened', socket: { slot: socket.slot, key }, listened: true });
        }
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
    }
    dispatch({ type: 'seized', worker, reason });
  }

  /** One that did not attach, and what it has started. @returns whether it is one of those */
  kill(worker: number, keepsChildren: boolean): boolean {
    const watched = this.#watched.get(worker);
    if (watched === undefined) return false;
    signalProcess(watched.mark, 'SIGKILL', !keepsChildren);
    this.#lookSoon();
    return true;
  }

  /** All are settled: those who wait for sockets get them. */
  end(): void {
    const { custody } = this.#parts as TakeoverParts;
    const { log } = this.#options;
    this.unsteered = custody.joinTaken(({ handle }) => this.#keptAs(handle)?.index ?? null);
    if (this.unsteered.length > 0) {
      const reason = 'the order of their sockets is not known';
      log.logger.warn({ addresses: this.unsteered, reason }, 'addresses are not steered until the next start');
    }
    this.#settled();
  }

  #keptAs(handle: { readonly fd: number }): KeptSocket | undefined {
    const cookie = this.#cookieOf(handle);
    return cookie === null ? undefined : this.#before?.sockets.find((socket) => socket.cookie === cookie);
  }

  #cookieOf(handle: { readonly fd: number }): string | null {
    const { native } = this.#options;
    let cookie = this.#cookies.get(handle);
    if (cookie === undefined) {
      try {
        cookie = (native.ok ? native.native.peers()?.socketCookie(handle.fd) : null) ?? null;
      } catch {
        cookie = null;
      }
      this.#cookies.set(handle, cookie);
    }
    return cookie;
  }

  /** Writes what the next supervisor has to know, if that has changed. */
  keep(state: State, configuredSize: number): void {
    const parts = this.#parts;
    if (parts === null || state.takeover !== null || this.#closed) return;
    const { generation, nextWorker, size, totals } = state;
    const slots = state.slots.map(({ slot, restarts, recycled, reason }) => ({ slot, restarts, recycled, reason }));
    const sockets = parts.custody.list().flatMap((socket) => {
      const { handle, key, slot } = socket;
      const cookie = this.#cookieOf(handle);
      const index = parts.custody.groups?.indexOf(socket) ?? null;
      return cookie === null ? [] : [{ cookie, key, slot, index }];
    });
    const { version } = this.#options;
    this.#file.keep({ version, generation, nextWorker, size, configuredSize, totals, slots, sockets });
  }

  /** Nobody is left to be taken over. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const arrival of this.#arrivals.values()) refuse(arrival);
    this.#arrivals.clear();
    await this.#server?.close().catch(() => {});
    await this.#file.remove().catch(() => {});
  }

  #tellEnd(worker: number): void {
    const untold = { code: null, signal: null, lastLines: [], chance: Math.random(), isUntold: true };
    this.#parts?.dispatch({ type: 'exited', worker, ...untold });
  }

  #watch(mark: FoundOrphan, ended: () => void): void {
    this.#watched.set(mark.worker, { mark, ended });
    this.#schedule();
  }

  #lookSoon(): void {
    this.#soonUntil = performance.now() + SOON_MS;
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#watched.size === 0 || this.#closed) return;
    const pauseMs = performance.now() < this.#soonUntil ? LOOK_SOON_MS : LOOK_MS;
    this.#timer = setTimeout(() => this.#look(), pauseMs);
    this.#timer.unref();
  }

  #look(): void {
    for (const [worker, { mark, ended }] of [...this.#watched]) {
      if (isThere(mark)) continue;
      this.#watched.delete(worker);
      ended();
    }
    this.#schedule();
  }
}

function refuse({ outputs, sockets, process }: Arrival): void {
  for (const handle of [...outputs, ...sockets.map(({ handle }) => handle)]) handle.close();
  const { process: child } = process.cluster;
  if (child.connected) child.disconnect();
  process.ended();
}
