/**
 * Asks workers what they have measured: each second those whose turn it is, for a scrape all of them, where it can be expected in
 * the second before. Knows what each has told last.
 */
import os from 'node:os';
import type { State } from '../../core/state/types.js';
import type { Row } from '../../monitor/tallies.js';
import type { ApplicationMetrics } from '../../protocol/measured.js';
import type { WorkerIdentity } from '../workers/process/fork.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import type { Figures } from './page-feed.js';
import { type Answers, type OwnMeasured, Questions } from './questions.js';
import { Rhythm } from './rhythm.js';
import { AskingTurns } from './turns/asking-turns.js';
import { GcTurns } from './turns/gc-turns.js';
import { loopResolutionMs } from './turns/loop-looks.js';
import { ReadingTurns } from './turns/reading-turns.js';

/** Who does not answer within it is left out. */
const PATIENCE_MS = 500;
export const INTERVAL_MS = 1_000;
/** How late a timer may be. */
const LATE_MS = 100;
const PROCESSORS = os.availableParallelism();

export interface GatheringOptions {
  readonly state: () => State;
  readonly workers: () => ReadonlyMap<number, WorkerHandle>;
  /** Of the application's metrics whose description a worker has told. */
  readonly version: (worker: number) => number;
}

/** What workers have told for a scrape. */
export interface Gathered {
  readonly answers: Answers;
  /** Those that should have told something. */
  readonly awaited: readonly number[];
}

interface Latest extends Omit<Figures, 'silentMs'> {
  readonly identity: WorkerIdentity;
  readonly measured: OwnMeasured;
}

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #questions: Questions;
  readonly #rhythm = new Rhythm();
  readonly #asking = new AskingTurns(PROCESSORS);
  readonly #reading = new ReadingTurns(PROCESSORS);
  readonly #gcTurns = new GcTurns(PROCESSORS);
  /** The last answer of each worker that is there. */
  readonly #latest = new Map<number, Latest>();
  /** What has been asked for a scrape that is expected, and when. */
  #ahead: { readonly at: number; readonly covers: readonly number[]; readonly answer: Promise<Gathered> } | null = null;

  constructor(options: GatheringOptions) {
    this.#options = options;
    this.#questions = new Questions(options.version, (worker) => {
      const { size } = options.state();
      const gcWeight = this.#gcTurns.weight(worker, size, performance.now());
      return { resolutionMs: loopResolutionMs(size, PROCESSORS), gcWeight };
    });
  }

  /** Every answer counts, whoever has asked. */
  heard(identity: WorkerIdentity, measured: OwnMeasured, row: Row, application?: ApplicationMetrics): void {
    const { worker } = identity;
    const now = performance.now();
    this.#latest.set(worker, { identity, row, measured, heardAt: now });
    if (application !== undefined) {
      const { costMs = 0, failure } = application;
      this.#reading.read(worker, { at: now, costMs, failed: failure !== null });
    }
    this.#questions.heard(worker, measured);
  }

  gone(worker: number): void {
    this.#latest.delete(worker);
    for (const one of [this.#questions, this.#asking, this.#reading, this.#gcTurns]) one.gone(worker);
  }

  /** How many seconds pass until each worker has been asked once. */
  get turnSeconds(): number {
    return this.#asking.seconds(this.#options.workers().size);
  }

  /** Of each worker that has told something. */
  figures(): ReadonlyMap<number, Figures> {
    const now = performance.now();
    return new Map(
      [...this.#latest].map(([worker, { row, measured, heardAt }]) => [
        worker,
        { row, measured, heardAt, silentMs: this.#silentMs(worker, now) },
      ]),
    );
  }

  /** Of the applications' own metrics: how old the oldest reading is, in milliseconds, and how many have failed. */
  readings(): { readonly ageMs: number; readonly failures: number } {
    return this.#reading.summary([...this.#options.workers().keys()], performance.now());
  }

  /** A second has gone: asks those whose turn it is, and whoever else a scrape that is expected needs. */
  ask(): void {
    const now = performance.now();
    const handles = this.#connected();
    const due = this.#asking.choose(handles.map(({ identity }) => identity.worker));
    const inTurn = handles.filter(({ identity }) => due.has(identity.worker));
    const turnMs = this.turnSeconds * INTERVAL_MS;
    const isQuick = this.#rhythm.isQuickerThan(turnMs);
    // Each second brings a part of what a quick scraper is answered with.
    if (!this.#rhythm.expects(now, isQuick ? turnMs : INTERVAL_MS)) {
      for (const handle of inTurn) this.#questions.ask(handle, { kinds: false, application: false });
      return;
    }
    const awaited = this.#awaited();
    if (isQuick) {
      const isNew = ({ identity: { worker } }: WorkerHandle) =>
        !due.has(worker) && this.#silentMs(worker, now) === 0 && !this.#latest.get(worker)?.measured.kinds;
      const unknown = new Set(handles.filter(isNew).map(({ identity }) => identity.worker));
      const covers = awaited.filter((worker) => !unknown.has(worker));
      this.#ahead = {
        at: now,
        covers,
        answer: this.#gather(awaited, inTurn).then((told) => this.#withOthers(told, due)),
      };
    } else this.#ahead = { at: now, covers: awaited, answer: this.#gather(awaited, handles) };
  }

  /** Somebody scrapes. @param fresh whether what was asked before is of no use */
  scrape(fresh: boolean): { readonly isAhead: boolean; readonly answer: Promise<Gathered> } {
    const now = performance.now();
    if (!fresh) this.#rhythm.scraped(now);
    const awaited = this.#awaited();
    const ahead = fresh ? null : this.#askedAhead(now, awaited);
    return { isAhead: ahead !== null, answer: ahead ?? this.#gather(awaited, this.#connected()) };
  }

  /** It is about to end: nobody can ask later. */
  askLast(handle: WorkerHandle, patienceMs: number): Promise<unknown> {
    const awaited = new Set([handle.identity.worker]);
    const handles = handle.connected ? [handle] : [];
    return this.#questions.askAll(handles, awaited, awaited, Math.min(PATIENCE_MS, patienceMs));
  }

  /** A scrape that was expected has been asked for already; not of a worker that has become ready since. */
  #askedAhead(now: number, wanted: readonly number[]): Promise<Gathered> | null {
    const ahead = this.#ahead;
    if (ahead === null || now - ahead.at >= INTERVAL_MS + LATE_MS) return null;
    return wanted.every((worker) => ahead.covers.includes(worker)) ? ahead.answer : null;
  }

  #connected(): WorkerHandle[] {
    return [...this.#options.workers().values()].filter(({ connected }) => connected);
  }

  /** One that is being loaded answers when it is. */
  #awaited(): number[] {
    return this.#options.state().workers.flatMap(({ id, state }) => (state === 'starting' ? [] : [id]));
  }

  /** Asks workers, and of their applications those whose turn it is. */
  async #gather(awaited: readonly number[], handles: readonly WorkerHandle[]): Promise<Gathered> {
    const all = handles.map(({ identity }) => identity.worker);
    const readers = this.#reading.choose(all, performance.now());
    const answers = await this.#questions.askAll(handles, new Set(awaited), readers, PATIENCE_MS);
    return { answers, awaited };
  }

  /** Who scrapes more often than each worker has its turn is told of the others what they have told last. */
  #withOthers({ answers, awaited }: Gathered, asked: ReadonlySet<number>): Gathered {
    const now = performance.now();
    const all = new Map(answers);
    for (const worker of awaited) {
      const latest = this.#latest.get(worker);
      if (latest !== undefined && !asked.has(worker) && this.#silentMs(worker, now) === 0)
        all.set(latest.identity, latest.measured);
    }
    return { answers: all, awaited };
  }

  /** 0 of one that has the time yet that everybody has to answer. Who cannot be asked any more owes what it has not told since. */
  #silentMs(worker: number, now: number): number {
    const { heardAt = now } = this.#latest.get(worker) ?? {};
    const isCutOff = this.#options.workers().get(worker)?.connected === false;
    const silentMs = isCutOff ? now - heardAt : this.#questions.silentMs(worker, now);
    return silentMs < PATIENCE_MS ? 0 : silentMs;
  }
}
