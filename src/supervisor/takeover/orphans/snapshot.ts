/**
 * What the next supervisor cannot learn from the workers, as data: in a file while this one runs, so that it is there when this
 * one is not. Workers tell what they are and hold; this has what only the supervisor knew.
 *
 * An older and a newer version read it alike: what a version does not know is left out, what is missing has a default. A number
 * is raised only where that cannot be kept up. Pure but for the file.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Before, LastRollout } from '../../../core/state/types.js';
import type { AddressKey } from '../../../protocol/worker.js';
import {
  list,
  Mismatch,
  nullOr,
  oneOf,
  type Reader,
  record,
  text,
  whole,
} from '../../workers/channel/message-shape.js';
import type { ProcessMark } from './orphans.js';

/** Raised when an older version must not read it. */
const FORMAT = 1;
/** Of a text that long nothing is ours. */
const LONGEST = 1024 * 1024;
const LAST_SLOT = 256;
const MOST_SOCKETS = 16_384;
const MOST_WORKERS = 10_000;
const LONGEST_KEY = 4_200;

export interface KeptSocket {
  /** By which the kernel tells it from others (SO_COOKIE): as text, it has 64 bits. */
  readonly cookie: string;
  readonly key: AddressKey;
  /** null: all slots shared it. */
  readonly slot: number | null;
  /** Which it is in its group; null where it is in none. */
  readonly index: number | null;
}

export interface Snapshot extends Before {
  /** The release of holdfast that wrote it, for people. */
  readonly version: string;
  /** Processes that were workers when it was written. */
  readonly workers: readonly ProcessMark[];
  /** What is in custody, in the order of its reuse-port groups, which the kernel does not tell. */
  readonly sockets: readonly KeptSocket[];
}

const count = whole(0, Number.MAX_SAFE_INTEGER);
const number = whole(1, Number.MAX_SAFE_INTEGER);

/** What an older version did not write yet. */
export function or<T>(reader: Reader<T>, missing: T): Reader<T> {
  return (value, at) => (value === undefined ? missing : reader(value, at));
}

const cookie: Reader<string> = (value, at) => {
  const digits = text(20)(value, at);
  if (!/^\d+$/.test(digits)) throw new Mismatch(`${at} must be a number`);
  return digits;
};

const restarts = record<Before['totals']['restarts']>({
  crashed: or(count, 0),
  failed: or(count, 0),
  hung: or(count, 0),
  recycled: or(count, 0),
});
const rollouts = record<Before['totals']['rollouts']>({ done: or(count, 0), rolledBack: or(count, 0) });
const NONE = { crashed: 0, failed: 0, hung: 0, recycled: 0 };

const rollout = record<LastRollout>({
  state: oneOf('done', 'rolledBack'),
  from: number,
  to: number,
  reason: or(nullOr(text(LONGEST)), null),
});

export const snapshot = record<Snapshot>({
  version: or(text(64), ''),
  generation: or(number, 1),
  nextWorker: or(number, 1),
  size: or(nullOr(whole(1, LAST_SLOT)), null),
  configuredSize: or(nullOr(whole(1, LAST_SLOT)), null),
  totals: or(record({ restarts: or(restarts, NONE), rollouts: or(rollouts, { done: 0, rolledBack: 0 }) }), {
    restarts: NONE,
    rollouts: { done: 0, rolledBack: 0 },
  }),
  slots: or(
    list(
      record({
        slot: whole(0, LAST_SLOT),
        restarts: or(count, 0),
        recycled: or(count, 0),
        reason: or(nullOr(text(LONGEST)), null),
      }),
      LAST_SLOT + 1,
    ),
    [],
  ),
  rollout: or(nullOr(rollout), null),
  workers: or(list(record<ProcessMark>({ pid: number, startedAt: text(20) }), MOST_WORKERS), []),
  sockets: or(
    list(
      record({
        cookie,
        key: text(LONGEST_KEY),
        slot: nullOr(whole(0, LAST_SLOT)),
        index: or(nullOr(whole(0, LAST_SLOT)), null),
      }),
      MOST_SOCKETS,
    ),
    [],
  ),
});
const head = record<{ readonly format: number }>({ format: oneOf(FORMAT) });

export type Read<T> = { readonly ok: true; readonly snapshot: T } | { readonly ok: false; readonly reason: string };

/** Never throws. */
export function readSnapshot(written: string): Read<Snapshot> {
  return readState(written, snapshot, LONGEST);
}

/** The same, of what has more than a snapshot. Never throws. */
export function readState<T>(written: string, reader: Reader<T>, longest: number): Read<T> {
  if (written.length > longest) return { ok: false, reason: 'it is too long' };
  try {
    const value: unknown = JSON.parse(written);
    head(value, 'the state');
    return { ok: true, snapshot: reader(value, 'the state') };
  } catch (error) {
    return { ok: false, reason: error instanceof Mismatch ? error.message : 'it is not JSON' };
  }
}

export function writeSnapshot(state: Snapshot): string {
  return JSON.stringify({ format: FORMAT, ...state });
}

// Not of node:fs/promises: loading that would keep the first worker waiting for its socket.
const rename = promisify(fs.rename);
const rm = promisify(fs.rm);
const writeFile = promisify(fs.writeFile);

/** Keeps the file as things are. Written beside it and moved there: who reads it finds the old or the new one, whole. */
export class SnapshotFile {
  readonly path: string;
  readonly #onProblem: (reason: string) => void;
  #wanted: string | null = null;
  #written = '';
  #told = '';
  #writing: Promise<void> | null = null;
  #closed = false;

  /** @param onProblem told once of each that is new */
  constructor(path: string, onProblem: (reason: string) => void) {
    this.path = path;
    this.#onProblem = onProblem;
  }

  /** What is asked for while it is being written is written afterwards, and only the last of it. */
  keep(state: Snapshot): void {
    const wanted = writeSnapshot(state);
    if (this.#closed || wanted === (this.#wanted ?? this.#written)) return;
    this.#wanted = wanted;
    this.#writing ??= this.#write();
  }

  /** Resolves when all is written that was asked for. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Takes the file away: nothing is left to take over. @throws the system's error */
  async remove(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await rm(this.path, { force: true });
  }

  async #write(): Promise<void> {
    const beside = `${this.path}.new`;
    while (this.#wanted !== null && !this.#closed) {
      const text = this.#wanted;
      this.#wanted = null;
      this.#written = text;
      try {
        await rm(beside, { force: true });
        // The sticky bit keeps what cleaners of temporary folders take for old.
        await writeFile(beside, text, { mode: 0o1600, flag: 'wx' });
        await rename(beside, this.path);
        this.#told = '';
      } catch (error) {
        // What is not there is written the next time, changed or not.
        this.#written = '';
        await rm(beside, { force: true }).catch(() => {});
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== this.#told) this.#onProblem(reason);
        this.#told = reason;
      }
    }
    this.#writing = null;
  }
}
