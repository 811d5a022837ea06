/**
 * What a worker measures of itself while somebody observes the supervisor: in a file of its own, which is loaded only then.
 * Beside what is always counted (`figures.ts`) it has bytes, kinds of connections, the event loop, garbage collection, memory
 * and CPU time. Must not throw; imports nothing but Node's own, as the preload's modules must not be there twice.
 */
import type { Server } from 'node:net';
import {
  type IntervalHistogram,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type {
  AcceptedCounts,
  ApplicationMetrics,
  ConnectionCounts,
  GcKind,
  GcTotals,
  Measured,
} from '../protocol/measured.js';
import type { SupervisorMessage } from '../protocol/worker.js';
import { type ByteSources, Bytes } from './bytes.js';
import { Registries } from './registries.js';

/** How often the delay of the event loop is looked at until the supervisor says otherwise. */
const RESOLUTION_MS = 50;
/** An application's metrics that take longer are left out. */
const PATIENCE_MS = 400;
/** Upper bounds in milliseconds: those that OpenTelemetry advises for v8js.gc.duration. */
const GC_BOUNDS_MS = [10, 100, 1_000, 10_000];
/** `NODE_PERFORMANCE_GC_…` */
const GC_KINDS: Readonly<Record<number, GcKind>> = { 1: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' };
/** Kept from the start: applications replace them. */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;

/** What the preload knows already. */
export interface MeasureSources extends ByteSources {
  readonly figures: ByteSources['figures'] & {
    readonly requests: number;
    readonly statuses: readonly number[];
    readonly tookMs: number;
  };
  readonly connections: { onAccepted: ((server: Server) => void) | undefined };
  readonly latency: () => readonly number[];
  readonly kindOf: (server: Server) => keyof AcceptedCounts;
  readonly countConnections: () => number;
  readonly countKinds: () => ConnectionCounts;
  /** Those that the application has named, beside its default ones. */
  readonly registries: () => Iterable<unknown>;
}

type Wanted = Pick<
  Extract<SupervisorMessage, { type: 'measure' }>,
  'kinds' | 'resolutionMs' | 'gcWeight' | 'application' | 'known'
>;

type Collection = PerformanceEntry & { readonly detail?: { readonly kind?: number } };

export class Measure {
  readonly #sources: MeasureSources;
  /** The one that is read is begun anew, and is blind until its next look: so the other one is read the next time. */
  #delays: IntervalHistogram[] = [];
  #resolutionMs = 0;
  readonly #accepted: Record<keyof AcceptedCounts, number> = { http1: 0, http2: 0, other: 0 };
  readonly #gc: Partial<Record<GcKind, { count: number; ms: number; buckets: number[] }>> = {};
  readonly #collections = new PerformanceObserver((list) => this.#collected(list.getEntries()));
  /** How many times each collection counts; 0 while they are not observed. */
  #gcWeight = 0;
  readonly #bytes: Bytes;
  readonly #registries: Registries;

  constructor(sources: MeasureSources) {
    this.#sources = sources;
    this.#registries = new Registries(sources.registries);
    this.#lookEvery(RESOLUTION_MS);
    this.#observeCollections(1);
    this.#bytes = new Bytes(sources);
    sources.connections.onAccepted = (server) => {
      this.#bytes.listen();
      this.#accepted[sources.kindOf(server)] += 1;
    };
  }

  /** @param known version of the description of the application's metrics that is known */
  async read({ kinds = false, resolutionMs, gcWeight = 1, application, known }: Wanted): Promise<Measured> {
    const { figures, latency, countConnections, countKinds } = this.#sources;
    const connections = countConnections();
    this.#bytes.count(connections);
    const { user, system } = process.cpuUsage();
    const heap = getHeapStatistics();
    const { active, idle } = performance.eventLoopUtilization();
    const loopDelayMs = this.#readDelay();
    if (resolutionMs !== undefined) this.#lookEvery(resolutionMs);
    this.#observeCollections(gcWeight);
    return {
      requests: figures.requests,
      statuses: [...figures.statuses],
      latency: latency(),
      tookMs: figures.tookMs,
      accepted: { ...this.#accepted },
      connections,
      receivedBytes: this.#bytes.received,
      sentBytes: this.#bytes.sent,
      cpuUserMs: user / 1000,
      cpuSystemMs: system / 1000,
      rssBytes: process.memoryUsage.rss(),
      heapUsedBytes: heap.used_heap_size,
      heapLimitBytes: heap.heap_size_limit,
      externalBytes: heap.external_memory,
      loopActiveMs: active,
      loopIdleMs: idle,
      loopDelayMs,
      gc: Object.entries(this.#gc).map(
        ([kind, { count, ms, buckets }]): GcTotals => ({ kind: kind as GcKind, count, ms, buckets: [...buckets] }),
      ),
      ...(kinds && { kinds: countKinds() }),
      ...(application && { application: await this.#application(known) }),
    };
  }

  async #application(known: number): Promise<ApplicationMetrics> {
    const before = process.cpuUsage();
    const spent = () => {
      const { user, system } = process.cpuUsage(before);
      return { costMs: (user + system) / 1000 };
    };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = startTimer(resolve, PATIENCE_MS, null).unref();
    });
    try {
      const found = await Promise.race([this.#registries.read(), late]);
      if (found === null)
        return { version: 0, values: [], left: 0, failure: `they took longer than ${PATIENCE_MS} ms`, ...spent() };
      const { families, ...told } = found;
      return { ...told, ...(told.version !== known && { schema: JSON.stringify(families) }), ...spent() };
    } finally {
      stopTimer(timer);
    }
  }

  /** What was being looked at is lost: it changes seldom. */
  #lookEvery(resolutionMs: number): void {
    if (resolutionMs === this.#resolutionMs) return;
    for (const delay of this.#delays) delay.disable();
    this.#resolutionMs = resolutionMs;
    this.#delays = [1, 2].map(() => monitorEventLoopDelay({ resolution: resolutionMs }));
    // Their timers are due in the same turns, so that two cost no more than one.
    for (const delay of this.#delays) delay.enable();
  }

  #readDelay(): number[] {
    const [delay] = this.#delays.splice(0, 1);
    if (delay === undefined) return [];
    this.#delays.push(delay);
    const { mean, max } = delay;
    const found = [mean, delay.percentile(50), delay.percentile(99), max];
    // Each look is told with the time in between; without any there is nothing to tell, and who asks often waits for one.
    if (max === 0) return [];
    delay.reset();
    return found.map((ns) => Math.max(0, ns / 1e6 - this.#resolutionMs));
  }

  #observeCollections(weight: number): void {
    if (weight > 0 && this.#gcWeight === 0) this.#collections.observe({ entryTypes: ['gc'] });
    // What Node has not told by then, of this turn of the event loop, is lost.
    if (weight === 0 && this.#gcWeight > 0) this.#collections.disconnect();
    this.#gcWeight = weight;
  }

  #collected(entries: readonly PerformanceEntry[]): void {
    for (const { duration: ms, detail } of entries as readonly Collection[]) {
      const name = GC_KINDS[detail?.kind ?? 0];
      if (name === undefined) continue;
      const totals = this.#gc[name] ?? { count: 0, ms: 0, buckets: GC_BOUNDS_MS.map(() => 0) };
      this.#gc[name] = totals;
      totals.count += this.#gcWeight;
      totals.ms += this.#gcWeight * ms;
      const at = GC_BOUNDS_MS.findIndex((bound) => ms <= bound);
      if (at !== -1) totals.buckets[at] = (totals.buckets[at] ?? 0) + this.#gcWeight;
    }
  }
}
