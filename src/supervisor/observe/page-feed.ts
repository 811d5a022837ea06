/**
 * What the page is told: once a second how things are, from the figures that have come by then; what happens; and the log. Where
 * nobody looks only the hour is kept.
 */

import type { Before, State } from '../../core/state/types.js';
import { percentile } from '../../latency.js';
import { Course } from '../../monitor/course.js';
import { AT, latencyOf, type Row } from '../../monitor/tallies.js';
import type { SupervisorEvent } from '../../protocol/events.js';
import type { Measured } from '../../protocol/measured.js';
import { PAGE_FIELDS, type PageEvent, type PageNow, type PageValues, type PageWorker } from '../../protocol/page.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { Marks } from './marks.js';

/** Of the log, at first and then in each second. */
const RECENT_LINES = 200;
const LINES_A_SECOND = 200;
const LONGEST_LINE = 4_096;
const LONGEST_MESSAGE = 2_000;
const SHARE_S = 60;
/** Of what rates are made. */
const SHORTEST_MS = 500;

/** What is known of a worker at a moment. */
export interface Figures {
  readonly row: Row;
  readonly measured: Measured;
  /** When it told them, in milliseconds of `performance.now()`. */
  readonly heardAt: number;
  /** How long its answer has been due. */
  readonly silentMs: number;
}

export interface PageFeedOptions {
  readonly outline: () => Promise<SupervisorStatus>;
  /** The supervisor's own. */
  readonly followEvents: (onEvent: (event: SupervisorEvent) => void) => () => void;
  readonly followLogs: (onLine: (line: string) => void) => () => void;
  readonly recentLogs: (lines: number) => readonly string[];
  /** What the supervisor before knew, and its last hour. */
  readonly known?: Pick<Before, 'slots' | 'rollout'> | null;
  readonly before?: unknown;
  readonly now?: () => number;
}

type Reader = (event: PageEvent) => void;
interface Look {
  readonly at: number;
  /** What all have counted, those that have ended included. */
  readonly total: Row;
  readonly of: ReadonlyMap<number, Figures>;
}

export class PageFeed {
  readonly #options: PageFeedOptions;
  readonly #now: () => number;
  readonly #course: Course;
  readonly #marks: Marks;
  readonly #readers = new Set<Reader>();
  /** One for each of the last seconds. */
  readonly #looks: Look[] = [];
  /** Of each worker, by what it has told last: of many each tells something but now and then. */
  readonly #rates = new Map<number, { readonly heardAt: number; readonly rates: Rates }>();
  readonly #unfollow: () => void;
  #lines: string[] = [];
  #left = 0;
  #unfollowLogs: (() => void) | null = null;

  constructor(options: PageFeedOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#marks = new Marks(this.#now, (data) => this.#tell({ event: 'mark', data }));
    const { course, marks } = (options.before ?? {}) as { readonly course?: unknown; readonly marks?: unknown };
    this.#course = Course.fromJSON(course);
    this.#marks.restore(marks);
    if (options.known) this.#marks.goOnWith(options.known);
    this.#unfollow = options.followEvents((event) => this.#marks.happened(event));
  }

  /** As plain data, for the supervisor that takes over. */
  toJSON(): object {
    return { course: this.#course.toJSON(), marks: this.#marks.all };
  }

  close(): void {
    this.#unfollow();
    this.#unfollowLogs?.();
  }

  follow(onEvent: Reader): () => void {
    this.#readers.add(onEvent);
    onEvent({ event: 'history', data: { ...this.#course.history, marks: this.#marks.all } });
    onEvent({ event: 'logs', data: { lines: this.#options.recentLogs(RECENT_LINES).map(cut), left: 0 } });
    this.#unfollowLogs ??= this.#options.followLogs((line) => {
      if (this.#lines.length < LINES_A_SECOND) this.#lines.push(cut(line));
      else this.#left += 1;
    });
    return () => {
      this.#readers.delete(onEvent);
      if (this.#readers.size > 0) return;
      this.#unfollowLogs?.();
      this.#unfollowLogs = null;
      this.#lines = [];
    };
  }

  /** The core has come to rest. */
  review(state: State): void {
    this.#marks.review(state);
  }

  /** Where the JavaScript of a slot's worker hangs. */
  hangs(slot: number, stack: readonly string[]): void {
    this.#marks.hangs(slot, stack);
  }

  /**
   * A second has gone.
   *
   * @param figures of the workers that are there, as far as they are known
   * @param total what all have counted, those that have ended included: it never goes back
   * @param isInTurn whether they are asked in turn: what all have counted then grows by what several seconds have brought to some
   */
  async look(figures: ReadonlyMap<number, Figures>, total: Row, isInTurn = false): Promise<void> {
    const status = await this.#options.outline();
    const at = this.#now() / 1000;
    const before = this.#looks.at(-1);
    const now = { at, total, of: figures };
    this.#looks.push(now);
    if (this.#looks.length > SHARE_S + 1) this.#looks.shift();
    for (const id of this.#rates.keys()) if (!figures.has(id)) this.#rates.delete(id);
    const rates = [...figures].map(([id, one]) => this.#ratesOf(id, one));
    const values = valuesOf(before, now, status, isInTurn ? rates : null);
    this.#course.add(at, values);
    if (this.#readers.size === 0) return;
    this.#tell({
      event: 'now',
      data: { at, values, status: told(status), workers: this.#workers(status, figures) },
    });
    if (this.#lines.length === 0 && this.#left === 0) return;
    this.#tell({ event: 'logs', data: { lines: this.#lines, left: this.#left } });
    this.#lines = [];
    this.#left = 0;
  }

  #workers(status: SupervisorStatus, figures: ReadonlyMap<number, Figures>): PageWorker[] {
    const oldest = this.#looks[0];
    const acceptedBy = (id: number) => {
      const now = figures.get(id);
      return now === undefined ? 0 : accepted(now.row) - accepted(oldest?.of.get(id)?.row);
    };
    const all = status.workers.reduce((sum, { id }) => sum + acceptedBy(id), 0);
    return status.workers.map(({ id, slot, generation, pid, state, uptimeMs, restarts, restartReason }) => {
      const known = figures.get(id);
      const base = { id, slot, generation, pid, state, uptimeMs, restarts, restartReason };
      if (known === undefined) return { ...base, ...UNKNOWN, memoryBytes: null, connections: null, got: null };
      const { measured } = known;
      const got = all === 0 ? null : acceptedBy(id) / all;
      const rates = this.#ratesOf(id, known);
      const { requests, errors, p99Ms, cpu } = rates;
      const { rssBytes: memoryBytes, connections } = measured;
      return { ...base, requests, errors, p99Ms, cpu, loopDelayMs: delayOf(known), memoryBytes, connections, got };
    });
  }

  /** One that is silent answers nothing. */
  #ratesOf(id: number, figures: Figures): Rates {
    const { row, heardAt, silentMs } = figures;
    if (silentMs > 0) return ratesOf(row, row, silentMs / 1000);
    const known = this.#rates.get(id);
    const rates = known?.heardAt === heardAt ? known.rates : this.#ratesSince(id, figures);
    this.#rates.set(id, { heardAt, rates });
    return rates;
  }

  /** Since it had told something else, long enough before: who is asked twice in a moment has done nothing in between. */
  #ratesSince(id: number, { row, heardAt }: Figures): Rates {
    for (let look = this.#looks.length - 2; look >= 0; look--) {
      const earlier = this.#looks[look]?.of.get(id);
      if (earlier === undefined) break;
      const ms = heardAt - earlier.heardAt;
      if (ms >= SHORTEST_MS) return ratesOf(earlier.row, row, ms / 1000);
    }
    return NO_RATES;
  }

  #tell(event: PageEvent): void {
    for (const reader of [...this.#readers]) reader(event);
  }
}

function told(status: SupervisorStatus): PageNow['status'] {
  const { name, version, nodeVersion, state, uptimeMs, generation, size, crashLoop, steering, steeringReason } = status;
  const { rollout, addresses, release } = status;
  return {
    ...{ name, version, nodeVersion, state, uptimeMs, generation, size, crashLoop, steering, steeringReason },
    ...{ rollout, addresses, release: release?.folder ?? null },
  };
}

function valuesOf(
  before: Look | undefined,
  now: Look,
  status: SupervisorStatus,
  each: readonly Rates[] | null,
): PageValues {
  const measured = [...now.of.values()].map((one) => one.measured);
  const total = (value: (one: Measured) => number) =>
    measured.length === 0 ? null : measured.reduce((all, one) => all + value(one), 0);
  const delays = [...now.of.values()].flatMap((one) => delayOf(one) ?? []);
  const queues = status.addresses.flatMap(({ sockets }) => sockets.flatMap(({ queueLength }) => queueLength ?? []));
  const found = {
    ...(before === undefined ? NO_RATES : ratesOf(before.total, now.total, now.at - before.at)),
    ...(each !== null && together(each)),
    loopDelayMs: delays.length === 0 ? null : Math.max(...delays),
    memoryBytes: total(({ rssBytes }) => rssBytes),
    connections: total(({ connections }) => connections),
    queue: queues.length === 0 ? null : queues.reduce((all, one) => all + one, 0),
  };
  return PAGE_FIELDS.map((field) => found[field]);
}

/** Who does not answer is late by as much at least. */
function delayOf({ measured, silentMs }: Figures): number | null {
  const known = measured.loopDelayMs[3] ?? null;
  return silentMs === 0 ? known : Math.max(known ?? 0, silentMs);
}

interface Rates {
  readonly requests: number | null;
  readonly errors: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly cpu: number | null;
}
/** Of one that has told nothing yet. */
const UNKNOWN = { requests: null, errors: null, p99Ms: null, loopDelayMs: null, cpu: null };
const NO_RATES: Rates = { requests: null, errors: null, p50Ms: null, p99Ms: null, cpu: null };

function ratesOf(before: Row, now: Row, seconds: number): Rates {
  const by = (at: number) => Math.max(0, (now[at] ?? 0) - (before[at] ?? 0));
  const [earlier, later] = [latencyOf(before), latencyOf(now)];
  const latency = [...later].map((count, i) => Math.max(0, count - (earlier[i] ?? 0)));
  const hasAnswers = latency.some((count) => count > 0);
  return {
    requests: by(AT.requests) / seconds,
    errors: by(AT.statuses + 5) / seconds,
    p50Ms: hasAnswers ? percentile(latency, 0.5) : null,
    p99Ms: hasAnswers ? percentile(latency, 0.99) : null,
    cpu: (by(AT.cpuUserMs) + by(AT.cpuSystemMs)) / 1000 / seconds,
  };
}

/** Of all together, as far as it is known. */
function together(each: readonly Rates[]): Pick<Rates, 'requests' | 'errors' | 'cpu'> {
  const sum = (field: 'requests' | 'errors' | 'cpu') =>
    each.every((one) => one[field] === null) ? null : each.reduce((all, one) => all + (one[field] ?? 0), 0);
  return { requests: sum('requests'), errors: sum('errors'), cpu: sum('cpu') };
}

function accepted(row: Row | undefined): number {
  return row === undefined ? 0 : (row[AT.http1] ?? 0) + (row[AT.http2] ?? 0) + (row[AT.other] ?? 0);
}

/** One that is too long stays JSON: of its message there is the beginning, and of its fields those that say whose it is. */
function cut(line: string): string {
  if (line.length <= LONGEST_LINE) return line;
  const { level, time, slot, worker, msg } = parsed(line);
  return JSON.stringify({ level, time, slot, worker, msg: `${String(msg).slice(0, LONGEST_MESSAGE)}…` });
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { msg: line };
  }
}
