/**
 * What workers measure of themselves, as metrics and for the page: asked for by a scrape, and with an admin address each second
 * besides, so that little is lost of one that crashes. Loaded when somebody observes; until then nothing of it is there.
 */
import type { State } from '../../core/state/types.js';
import type { Log } from '../../logs/logger.js';
import { ApplicationTallies } from '../../monitor/application.js';
import type { Family } from '../../monitor/formats/family.js';
import { chooseFormat } from '../../monitor/formats/negotiate.js';
import { render } from '../../monitor/formats/render.js';
import { CATALOG, type Entry } from '../../monitor/metrics/catalog.js';
import { Metrics } from '../../monitor/metrics/metrics.js';
import type { Present } from '../../monitor/metrics/slots.js';
import { rowOf, Tallies } from '../../monitor/tallies.js';
import type { MetricsRequest, Page } from '../../protocol/admin.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import type { WorkerIdentity } from '../workers/process/fork.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import { Courses } from './courses.js';
import { type Gathered, Gathering, INTERVAL_MS } from './gathering.js';
import type { PageFeed } from './page-feed.js';
import type { MeasuredMessage } from './questions.js';
import { RolloutTimes } from './rollout-times.js';

/** A scrape is made no more often than this, however many ask: until then all have the last one. */
export const FRESH_MS = 250;

export interface ObserverOptions {
  readonly state: () => State;
  readonly workers: () => ReadonlyMap<number, WorkerHandle>;
  /** How things are, as far as no worker has to be asked. */
  readonly outline: () => Promise<SupervisorStatus>;
  readonly names: 'holdfast' | 'otel';
  readonly log: Log;
}

/** What the supervisor that takes over counts on from; read as something of anybody's. */
type Kept = Partial<Record<'tallies' | 'application' | 'rollouts' | 'pageFeed' | 'startedAtSeconds', unknown>>;

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
  readonly #metrics: Metrics;
  readonly #gathering: Gathering;
  readonly #rollouts: RolloutTimes;
  readonly #pageFeedBefore: unknown;
  /** Not known yet: which workers have come along. */
  #isNew = true;
  #pageFeed: Pick<PageFeed, 'review' | 'hangs' | 'toJSON'> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #collected: { readonly madeAt: number; readonly isAhead: boolean; readonly answer: Promise<Collected> } | null = null;
  #toldOfLimit = false;
  /** Since 1970; of the process, which an upgrade keeps. Told alike in each scrape. */
  #startedAtSeconds: number | null = null;

  /** @param before what the one of the supervisor before has passed on */
  constructor(options: ObserverOptions, before: unknown = null) {
    const { tallies, application, rollouts, pageFeed, startedAtSeconds } = (before ?? {}) as Kept;
    this.#options = options;
    this.#pageFeedBefore = pageFeed;
    if (Number.isFinite(startedAtSeconds)) this.#startedAtSeconds = startedAtSeconds as number;
    this.#tallies = Tallies.fromJSON(tallies);
    this.#rollouts = new RolloutTimes(rollouts);
    const isOtel = options.names === 'otel';
    this.#metrics = new Metrics(isOtel);
    const own = new Set(Object.entries<Entry>(CATALOG).map(([name, { otel }]) => (isOtel ? (otel ?? name) : name)));
    this.#application = ApplicationTallies.fromJSON(application, (name) => own.has(name));
    const version = (worker: number) => this.#application.version(worker);
    this.#gathering = new Gathering({ state: options.state, workers: options.workers, version });
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
      ...{ rollouts: this.#rollouts.seconds, pageFeed, startedAtSeconds: this.#startedAtSeconds },
    };
  }

  /** Asks each second from now on those whose turn it is. @param pageFeed told what has come until then, and what becomes of workers */
  begin(pageFeed: Pick<PageFeed, 'look' | 'review' | 'hangs' | 'toJSON'>): void {
    this.#pageFeed = pageFeed;
    this.#timer ??= setInterval(() => {
      void pageFeed.look(this.#gathering.figures(), this.#tallies.total(), this.#gathering.turnSeconds > 1);
      this.#gathering.ask();
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Every answer counts, whoever has asked. */
  heard(identity: WorkerIdentity, message: MeasuredMessage): void {
    const { worker, slot } = identity;
    // What is kept of the answer has no description of the application's metrics, which may be long.
    const { application, ...measured } = message;
    const row = rowOf(measured);
    this.#gathering.heard(identity, measured, row, application);
    this.#tallies.heard(worker, slot, row);
    if (application !== undefined) this.#application.heard(worker, slot, application);
    this.#courses.heard(worker, measured, performance.now());
  }

  /** It has ended: what it had last is kept. */
  gone(worker: number): void {
    this.#tallies.gone(worker);
    this.#application.gone(worker);
    this.#gathering.gone(worker);
    this.#courses.gone(worker);
  }

  /** It is about to end: nobody can ask later. */
  askLast(handle: WorkerHandle, patienceMs: number): Promise<unknown> {
    return this.#gathering.askLast(handle, patienceMs);
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
    const page = render([...families, ...application[byWorker ? 'bySlot' : 'together']()], format);
    pages.set(key, page);
    return page;
  }

  #collect(noCache: boolean): Promise<Collected> {
    const now = performance.now();
    const last = this.#collected;
    // Who wants what is so now has no use for what was asked before.
    if (last !== null && now - last.madeAt < FRESH_MS && !(noCache && last.isAhead)) return last.answer;
    const { isAhead, answer: gathered } = this.#gathering.scrape(noCache);
    const answer = this.#make(gathered);
    const collected = { madeAt: now, isAhead, answer };
    this.#collected = collected;
    answer.catch(() => {
      if (this.#collected === collected) this.#collected = null;
    });
    return answer;
  }

  async #make(gathered: Promise<Gathered>): Promise<Collected> {
    const { workers } = this.#options;
    const outline = async () => {
      const status = await this.#options.outline();
      this.#startedAtSeconds ??= (performance.timeOrigin + performance.now() - status.uptimeMs) / 1000;
      return status;
    };
    const [status, { answers, awaited }] = await Promise.all([outline(), gathered]);
    const present = [...answers].flatMap(([{ worker, slot }, measured]): Present[] => {
      if (!workers().has(worker)) return [];
      return [{ slot, measured, ...this.#courses.of(worker) }];
    });
    const answered = new Set([...answers.keys()].map(({ worker }) => worker));
    const merged = this.#application.merge(false);
    const { ageMs, failures } = this.#gathering.readings();
    this.#tellOfLimit(merged.left);
    const { user, system } = process.cpuUsage();
    const observed = {
      status,
      own: {
        cpuSeconds: (user + system) / 1e6,
        rssBytes: process.memoryUsage.rss(),
        startedAtSeconds: this.#startedAtSeconds ?? performance.timeOrigin / 1000,
      },
      rows: this.#tallies.bySlot(),
      present,
      silent: awaited.filter((worker) => workers().has(worker) && !answered.has(worker)).length,
      rollouts: this.#rollouts.seconds,
      application: { series: merged.series, left: merged.left, failures, ageSeconds: ageMs / 1000 },
    };
    const families = this.#metrics.familiesOf(observed);
    const bySlot = () => this.#application.merge(true).families;
    return { families, application: { together: () => merged.families, bySlot }, pages: new Map() };
  }

  #tellOfLimit(left: number): void {
    if (left === 0 || this.#toldOfLimit) return;
    this.#toldOfLimit = true;
    const hint = 'series beyond 2,000 of a worker and names that are taken are left out: have fewer values of labels';
    this.#options.log.logger.warn({ leftOut: left, hint }, 'metrics of the application left out');
  }
}
