/**
 * What a worker measures of itself while somebody observes the supervisor: in a file of its own, which is loaded only then.
 * Beside what is always counted (`figures.ts`) it has bytes, kinds of connections, the event loop, garbage collection, memory
 * and CPU time. Must not throw; imports nothing but Node's own, as the preload's modules must not be there twice.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
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
export interface MeasureSources {
  readonly figures: {
    readonly requests: number;
    readonly statuses: readonly number[];
    readonly tookMs: number;
    onAnswered: ((socket: object, isLast: boolean) => void) | undefined;
  };
  readonly connections: { onAccepted: ((server: Server) => void) | undefined };
  readonly latency: () => readonly number[];
  /** undefined of what is not ours, null of one of ours that has none. */
  readonly stampOf: (socket: object, makes: boolean) => Moved | null | undefined;
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

interface Counted {
  readonly _handle?: Bytes | null;
  /** Once it has no handle any more. */
  readonly bytesRead?: unknown;
  readonly _bytesDispatched?: unknown;
  readonly server?: Server;
}

/** Not every socket is Node's own: anything may be told, or nothing. */
interface Bytes {
  readonly bytesRead?: unknown;
  readonly bytesWritten?: unknown;
}

/** What has been counted of a connection: a look into a map would cost a short one more than the counting. */
interface Moved {
  received: number;
  sent: number;
  /** It is in the list of those that are looked at again. */
  isDue: boolean;
}

/** So many connections are kept at most until they are looked at again, also where nobody asks. */
const MOST_DUE = 64;

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
  /** Of what has no stamp of its own: TLS, and sessions of HTTP/2 by their handles. */
  readonly #counted = new WeakMap<object, Moved>();
  /** Those that have answered more since. */
  #due: (readonly [socket: Counted, moved: Moved])[] = [];
  #received = 0;
  #sent = 0;
  readonly #registries: Registries;

  constructor(sources: MeasureSources) {
    this.#sources = sources;
    this.#registries = new Registries(sources.registries);
    this.#lookEvery(RESOLUTION_MS);
    this.#observeCollections(1);
    sources.connections.onAccepted = (server) => {
      this.#accepted[sources.kindOf(server)] += 1;
    };
    sources.figures.onAnswered = (socket, isLast) => this.#moved(socket, isLast);
    diagnosticsChannel.subscribe('http2.server.stream.close', (message) => {
      const { stream } = message as { stream: { session?: { socket?: Counted } } };
      try {
        // A stand-in for the socket; that of a health check was accepted by no server.
        const socket = stream.session?.socket;
        if (socket?.server !== undefined && socket._handle) this.#movedNow(socket._handle);
      } catch {
        // Once the session has ended it stands for nothing, and says so.
      }
    });
  }

  /** @param known version of the description of the application's metrics that is known */
  async read({ kinds = false, resolutionMs, gcWeight = 1, application, known }: Wanted): Promise<Measured> {
    const { figures, latency, countConnections, countKinds } = this.#sources;
    this.#countDue();
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
      connections: countConnections(),
      receivedBytes: this.#received,
      sentBytes: this.#sent,
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

  /**
   * Something has been answered on a connection. Its first answer is counted at once, as it may be the last; further ones when
   * somebody asks: a look at the handle at each of them would cost a kept connection more than all other counting.
   */
  #moved(socket: Counted, isLast: boolean): void {
    const stamp = this.#sources.stampOf(socket, !isLast);
    // Most connections that have one answer say so: nothing more comes of it, and nothing is kept.
    const known = stamp === undefined ? this.#counted.get(socket) : stamp;
    const moved = known ?? (isLast ? nothing() : this.#newly(socket));
    if (moved.isDue) return;
    if (moved.received === 0) {
      this.#count(bytesOf(socket), moved);
      return;
    }
    moved.isDue = true;
    this.#due.push([socket, moved]);
    if (this.#due.length >= MOST_DUE) this.#countDue();
  }

  /** The socket of a session cannot be asked later: once the session has ended it throws. */
  #movedNow(handle: Bytes): void {
    this.#count(handle, this.#counted.get(handle) ?? this.#newly(handle));
  }

  #newly(one: object): Moved {
    const moved = nothing();
    this.#counted.set(one, moved);
    return moved;
  }

  #countDue(): void {
    for (const [socket, moved] of this.#due.splice(0)) {
      moved.isDue = false;
      this.#count(bytesOf(socket), moved);
    }
  }

  #count(bytes: Bytes | null, moved: Moved): void {
    const told = bytes && numbersOf(bytes);
    // As it was: what is told later is more by what is not told now.
    if (told === null) return;
    const [received, sent] = told;
    this.#received += Math.max(0, received - moved.received);
    this.#sent += Math.max(0, sent - moved.sent);
    moved.received = received;
    moved.sent = sent;
  }
}

function nothing(): Moved {
  return { received: 0, sent: 0, isDue: false };
}

/** By the handle as long as there is one: a socket adds up what waits to be written at each look. null of one that does not tell. */
function bytesOf(socket: Counted): Bytes | null {
  try {
    return socket._handle ?? { bytesRead: socket.bytesRead, bytesWritten: socket._bytesDispatched };
  } catch {
    return null;
  }
}

/** null of a handle that throws, as a stand-in's may: it costs its own bytes, and no others'. */
function numbersOf(bytes: Bytes): readonly [received: number, sent: number] | null {
  try {
    return [numberOf(bytes.bytesRead), numberOf(bytes.bytesWritten)];
  } catch {
    return null;
  }
}

function numberOf(value: unknown): number {
  return Number.isFinite(value) ? (value as number) : 0;
}
