/** What a supervisor leaves for the next one beside its workers, and what it has found of the one before. */
import { readFile } from 'node:fs/promises';
import type { State } from '../../core/state/types.js';
import type { Log } from '../../logs/logger.js';
import type { NativeLoad } from '../../native/libc.js';
import type { Custody } from '../../sockets/custody/custody.js';
import { markOf, type ProcessMark } from './orphans/orphans.js';
import { type KeptSocket, readSnapshot, type Snapshot, SnapshotFile } from './orphans/snapshot.js';

export interface KeptStateOptions {
  readonly path: string;
  readonly version: string;
  readonly native: NativeLoad;
  readonly log: Log;
}

export class KeptState {
  readonly #options: KeptStateOptions;
  readonly #file: SnapshotFile;
  readonly #cookies = new WeakMap<object, string | null>();
  /** Of the workers, by their numbers. */
  #marks: ReadonlyMap<number, ProcessMark> = new Map();
  #before: Snapshot | null = null;

  constructor(options: KeptStateOptions) {
    this.#options = options;
    this.#file = new SnapshotFile(options.path, (reason) => {
      options.log.logger.warn({ reason }, 'cannot write the state for the next supervisor');
    });
  }

  /** null where there is none that can be read. */
  get before(): Snapshot | null {
    return this.#before;
  }

  /** What an upgrade has passed on. */
  goOnWith(before: Snapshot): void {
    this.#before = before;
  }

  async read(): Promise<void> {
    const { path, log } = this.#options;
    const written = await readFile(path, 'utf8').catch(() => null);
    if (written === null) return;
    const read = readSnapshot(written);
    if (read.ok) this.#before = read.snapshot;
    else log.logger.warn({ reason: read.reason, file: path }, 'cannot read the state of the previous supervisor');
  }

  /** What the supervisor before knew of a socket. */
  knownAs(handle: { readonly fd: number }): KeptSocket | undefined {
    const cookie = this.#cookieOf(handle);
    return cookie === null ? undefined : this.#before?.sockets.find((socket) => socket.cookie === cookie);
  }

  /** Written if it has changed. */
  keep(state: State, configuredSize: number, custody: Custody): void {
    this.#file.keep(this.snapshotOf(state, configuredSize, custody));
  }

  snapshotOf(state: State, configuredSize: number, custody: Custody): Snapshot {
    const { generation, nextWorker, size, totals, slots } = state;
    const { version } = this.#options;
    const sockets = custody.list().flatMap((socket) => {
      const { handle, key, slot } = socket;
      const cookie = this.#cookieOf(handle);
      const index = custody.groups?.indexOf(socket) ?? null;
      return cookie === null ? [] : [{ cookie, key, slot, index }];
    });
    const kept = slots.map(({ slot, restarts, recycled, reason }) => ({ slot, restarts, recycled, reason }));
    const rollout = lastOf(state.rollout);
    const workers = this.#marksOf(state);
    return { version, generation, nextWorker, size, configuredSize, totals, slots: kept, rollout, workers, sockets };
  }

  /** All is written that was asked for. */
  settled(): Promise<void> {
    return this.#file.settled();
  }

  /** Never rejects. */
  async remove(): Promise<void> {
    await this.#file.remove().catch(() => {});
  }

  #marksOf({ workers }: State): ProcessMark[] {
    const marks = new Map<number, ProcessMark>();
    for (const { id, pid } of workers) {
      const mark = this.#marks.get(id) ?? (pid === null ? null : markOf(pid));
      if (mark !== null) marks.set(id, mark);
    }
    this.#marks = marks;
    return [...marks.values()];
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
}

function lastOf({ state, from, to, reason }: State['rollout']): Snapshot['rollout'] {
  return state === 'done' || state === 'rolledBack' ? { state, from, to, reason } : null;
}
