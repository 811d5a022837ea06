/**
 * Collects what workers measure of themselves: for a scrape at once, and with an admin address once a second besides, so that
 * little is lost of one that crashes. Loaded when somebody observes; until then nothing of it is there.
 */
import os from 'node:os';
import type { State } from '../../core/state/types.js';
import type { Log } from '../../logs/logger.js';
import { ApplicationTallies } from '../../monitor/application.js';
import { CATALOG, type Entry } from '../../monitor/catalog.js';
import type { Family } from '../../monitor/formats/family.js';
import { chooseFormat, type Format } from '../../monitor/formats/negotiate.js';
import { PROTOBUF, protobufOf } from '../../monitor/formats/protobuf.js';
import { OPEN_METRICS, TEXT, textOf } from '../../monitor/formats/text-format.js';
import { KnownLabels } from '../../monitor/known-labels.js';
import { familiesOf, type Present } from '../../monitor/metrics.js';
import { rowOf, Tallies } from '../../monitor/tallies.js';
import type { MetricsRequest, Page } from '../../protocol/admin.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import type { WorkerIdentity } from '../workers/process/fork.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import { Courses } from './courses.js';
import { loopResolutionMs } from './loop-looks.js';
import type { Figures, PageFeed } from './page-feed.js';
import { type Answers, type MeasuredMessage, Questions } from './questions.js';
import { ReadingTurns } from './reading-turns.js';
import { Rhythm } from './rhythm.js';
import { RolloutTimes } from './rollout-times.js';

/** Who does not answer within it is left out. */
const PATIENCE_MS = 500;
const INTERVAL_MS = 1_000;
/** How late a timer may be. */
const LATE_MS = 100;
/** A scrape is made no more often than this, however many ask: until then all have the last one. */
export const FRESH_MS = 250;
const PROCESSORS = os.availableParallelism();
const CONTENT_TYPES: Readonly<Record<Format, string>> = { text: TEXT, openMetrics: OPEN_METRICS, protobuf: PROTOBUF };

export interface ObserverOptions {
  readonly state: () => State;
  readonly workers: () => ReadonlyMap<number, WorkerHandle>;
  /** How things are, as far as no worker has to be asked. */
  readonly outline: () => Promise<SupervisorStatus>;
  readonly names: 'holdfast' | 'otel';
  readonly log: Log;
}

/** What the supervisor that takes over counts on from; read as something of anybody's. */
type Kept = Partial<Record<'tallies' | 'application' | 'rollouts' | 'pageFeed', unknown>>;

/** What workers have told when all were asked. */
interface Gathered {
  readonly answers: Answers;
  readonly awaited: readonly number[];
}

interface Collected {
  readonly families: readonly Family[];
  readonly application: Readonly<Record<'together' | 'bySlot', () => readonly Family[]>>;
  readonly pages: Map<string, Page>;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #tallies: Tallies;
  readonly #application: ApplicationTallies;
  readonly #courses = new Courses();
  /** The last answer of each worker that is there. */
  readonly #latest = new Map<number, Omit<Figures, 'silentMs'> & { readonly heardAt: number }>();
  readonly #questions = new Questions(
    (worker) => this.#application.version(worker),
    () => loopResolutionMs(this.#options.state().size, PROCESSORS),
  );
  readonly #rhythm = new Rhythm();
  readonly #turns = new ReadingTurns(PROCESSORS);
  readonly #labels: KnownLabels;
  /** What has been asked of all workers for a scrape that is expected, and when. */
  #ahead: (Pick<Gathered, 'awaited'> & { readonly at: number; readonly answer: Promise<Gathered> }) | null = null;
  readonly #rollouts: RolloutTimes;
  readonly #pageFeedBefore: unknown;
  /** Not known yet: which workers have come along. */
  #isNew = true;
  #pageFeed: Pick<PageFeed, 'review' | 'hangs' | 'toJSON'> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #collected: { readonly madeAt: number; readonly isAhead: boolean; readonly answer: Promise<Collected> } | null = null;
  #toldOfLimit = false;

  /** @param before what the one of the supervisor before has passed on */
  constructor(options: ObserverOptions, before: unknown = null) {
    const { tallies, application, rollouts, pageFeed } = (before ?? {}) as Kept;
    this.#options = options;
    this.#pageFeedBefore = pageFeed;
    this.#tallies = Tallies.fromJSON(tallies);
    this.#rollouts = new RolloutTimes(rollouts);
    const isOtel = options.names === 'otel';
    this.#labels = new KnownLabels(isOtel);
    const own = new Set(Object.entries<Entry>(CATALOG).map(([name, { otel }]) => (isOtel ? (otel ?? name) : name)));
    this.#application = ApplicationTallies.fromJSON(application, (name) => own.has(name));
  }

  /** Of the last hour, as the supervisor before has passed it on. */
  get pageFeedBefore(): unknown {
    return this.#pageFeedBefore;
  }

  /** As plain data, for the supervisor that takes over. */
  toJSON(): object {
    const pageFeed = this.#pageFeed?.toJSON() ?? this.#pageFeedBefore;
    return {
      ...{ tallies: this.#tallies.toJSON(), application: this.#application.toJSON() },
      ...{ rollouts: this.#rollouts.seconds, pageFeed },
    };
  }

  /** Asks once a second from now on. @param pageFeed told what has come until then, and what becomes of workers */
  begin(pageFeed: Pick<PageFeed, 'look' | 'review' | 'hangs' | 'toJSON'>): void {
    this.#pageFeed = pageFeed;
    this.#timer ??= setInterval(() => {
      const now = performance.now();
      const figures = [...this.#latest].map(([worker, { heardAt, ...known }]): [number, Figures] => [
        worker,
        // It was asked a second ago.
        { ...known, silentMs: Math.max(0, now - heardAt - INTERVAL_MS) },
      ]);
      void pageFeed.look(new Map(figures), this.#tallies.total());
      this.#look();
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Every answer counts, whoever has asked. */
  heard({ worker, slot }: WorkerIdentity, message: MeasuredMessage): void {
    const { application } = message;
    const row = rowOf(message);
    this.#latest.set(worker, { row, measured: message, heardAt: performance.now() });
    // The row is theirs from now on, and grows.
    this.#tallies.heard(worker, slot, row.slice());
    if (application !== undefined) {
      this.#application.heard(worker, slot, application);
      const { costMs = 0, failure } = application;
      this.#turns.read(worker, { at: performance.now(), costMs, failed: failure !== null });
    }
    this.#courses.heard(worker, message);
    this.#questions.heard(worker, message);
  }

  /** It has ended: what it had last is kept. */
  gone(worker: number): void {
    this.#tallies.gone(worker);
    this.#application.gone(worker);
    this.#turns.gone(worker);
    this.#courses.gone(worker);
    this.#latest.delete(worker);
  }

  /** It is about to end: nobody can ask later. */
  askLast(handle: WorkerHandle, patienceMs: number): Promise<unknown> {
    const awaited = new Set([handle.identity.worker]);
    return this.#questions.askAll(
      handle.connected ? [handle] : [],
      awaited,
      awaited,
      Math.min(PATIENCE_MS, patienceMs),
    );
  }

  hangs(slot: number, stack: readonly string[]): void {
    this.#pageFeed?.hangs(slot, stack);
  }

  review(settled: State): void {
    if (this.#isNew && settled.takeover === null) {
      this.#isNew = false;
      const isThere = (worker: number) => this.#options.workers().has(worker);
      this.#tallies.retain(isThere);
      this.#application.retain(isThere);
    }
    this.#pageFeed?.review(settled);
    this.#rollouts.review(settled);
  }

  async page({ accept, byWorker, noCache }: MetricsRequest): Promise<Page> {
    const format = chooseFormat(accept);
    const { families, application, pages } = await this.#collect(noCache);
    const key = `${format} ${byWorker}`;
    const known = pages.get(key);
    if (known !== undefined) return known;
    const all = [...families, ...application[byWorker ? 'bySlot' : 'together']()];
    const body = format === 'protobuf' ? protobufOf(all) : Buffer.from(textOf(all, format === 'openMetrics'));
    const page = { contentType: CONTENT_TYPES[format], body };
    pages.set(key, page);
    return page;
  }

  #collect(noCache: boolean): Promise<Collected> {
    const now = performance.now();
    const last = this.#collected;
    // Who wants what is so now has no use for what was asked before.
    if (last !== null && now - last.madeAt < FRESH_MS && !(noCache && last.isAhead)) return last.answer;
    if (!noCache) this.#rhythm.scraped(now);
    const awaited = this.#awaited();
    const ahead = noCache ? null : this.#askedAhead(now, awaited);
    const answer = this.#make(ahead ?? this.#gather(awaited));
    const collected = { madeAt: now, isAhead: ahead !== null, answer };
    this.#collected = collected;
    answer.catch(() => {
      if (this.#collected === collected) this.#collected = null;
    });
    return answer;
  }

  /** A scrape that was expected has been asked for already; not of a worker that has become ready since. */
  #askedAhead(now: number, wanted: readonly number[]): Promise<Gathered> | null {
    const ahead = this.#ahead;
    if (ahead === null || now - ahead.at >= INTERVAL_MS + LATE_MS) return null;
    return wanted.every((worker) => ahead.awaited.includes(worker)) ? ahead.answer : null;
  }

  async #make(gathered: Promise<Gathered>): Promise<Collected> {
    const { workers, outline } = this.#options;
    const [status, { answers, awaited }] = await Promise.all([outline(), gathered]);
    const present = [...answers].flatMap(([{ worker, slot }, measured]): Present[] => {
      if (!workers().has(worker)) return [];
      return [{ slot, measured, ...this.#courses.of(worker) }];
    });
    const answered = new Set([...answers.keys()].map(({ worker }) => worker));
    const merged = this.#application.merge(false);
    const { ageMs, failures } = this.#turns.summary([...workers().keys()], performance.now());
    this.#tellOfLimit(merged.left);
    const { user, system } = process.cpuUsage();
    const observed = {
      status,
      own: {
        cpuSeconds: (user + system) / 1e6,
        rssBytes: process.memoryUsage.rss(),
        startedAtSeconds: performance.timeOrigin / 1000,
      },
      rows: this.#tallies.bySlot(),
      present,
      silent: awaited.filter((worker) => workers().has(worker) && !answered.has(worker)).length,
      rollouts: this.#rollouts.seconds,
      application: { series: merged.series, left: merged.left, failures, ageSeconds: ageMs / 1000 },
    };
    const families = familiesOf(observed, this.#labels);
    const bySlot = () => this.#application.merge(true).families;
    return { families, application: { together: () => merged.families, bySlot }, pages: new Map() };
  }

  /** One that is being loaded answers when it is. */
  #awaited(): number[] {
    return this.#options.state().workers.flatMap(({ id, state }) => (state === 'starting' ? [] : [id]));
  }

  /** Asks all workers, and of their applications those whose turn it is. */
  async #gather(awaited: readonly number[]): Promise<Gathered> {
    const handles = [...this.#options.workers().values()].filter(({ connected }) => connected);
    const all = handles.map(({ identity }) => identity.worker);
    const readers = this.#turns.choose(all, performance.now());
    const answers = await this.#questions.askAll(handles, new Set(awaited), readers, PATIENCE_MS);
    return { answers, awaited };
  }

  #look(): void {
    const now = performance.now();
    if (this.#rhythm.expects(now, INTERVAL_MS)) {
      const awaited = this.#awaited();
      this.#ahead = { at: now, awaited, answer: this.#gather(awaited) };
      return;
    }
    for (const handle of this.#options.workers().values())
      if (handle.connected) this.#questions.ask(handle, { kinds: false, application: false });
  }

  #tellOfLimit(left: number): void {
    if (left === 0 || this.#toldOfLimit) return;
    this.#toldOfLimit = true;
    const hint = 'series beyond 2,000 of a worker and names that are taken are left out: have fewer values of labels';
    this.#options.log.logger.warn({ leftOut: left, hint }, 'metrics of the application left out');
  }
}
