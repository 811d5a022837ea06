/**
 * Asks the workers for a sign of life from time to time: finds those whose event loop hangs, and those that have come to a
 * limit. What follows from it is the core's.
 */
import { hasLimits, judgeSample, type Limits, NO_STREAKS, type Streaks } from '../../core/restarts/recycling.js';
import type { Event } from '../../core/state/events.js';
import type { State, Worker } from '../../core/state/types.js';
import type { Usage } from '../../monitor/usage.js';
import type { Stats } from '../workers/questions/stats.js';

/** How often workers are asked at most and at least, in milliseconds: idle means idle. */
const SHORTEST_MS = 250;
const LONGEST_MS = 2_500;

export interface LivenessOptions {
  readonly dispatch: (event: Event) => void;
  /** Asks a worker for its figures; the answer comes by `heard`, if it does. */
  readonly ask: (worker: number) => void;
  /** Whether a debugger is attached to a worker: it may stand at a breakpoint. */
  readonly isDebugged?: (worker: number) => Promise<boolean>;
  readonly usage: (pids: readonly number[]) => Promise<ReadonlyMap<number, Usage>>;
  /** Of the worker's generation, at the size that there is. `hangTimeoutMs` 0 is never. */
  readonly expected: (worker: Worker) => Limits & { readonly hangTimeoutMs: number };
  readonly now?: () => number;
}

interface Checked {
  readonly worker: Worker;
  /** A share of the memory changes with the number of workers. */
  limits: Limits & { readonly hangTimeoutMs: number };
  readonly chance: number;
  streaks: Streaks;
  /** Of the oldest question that is not answered. */
  askedAt: number | null;
  last: Stats | null;
}

export class LivenessChecks {
  readonly #options: LivenessOptions;
  readonly #now: () => number;
  readonly #checked = new Map<number, Checked>();
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #closed = false;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Something has happened to workers. */
  review({ workers }: State): void {
    if (this.#closed) return;
    const ready = new Set<number>();
    for (const worker of workers) {
      if (worker.state !== 'ready' || worker.ended) continue;
      ready.add(worker.id);
      const limits = this.#options.expected(worker);
      const known = this.#checked.get(worker.id);
      if (known !== undefined) {
        known.limits = limits;
        continue;
      }
      if (limits.hangTimeoutMs === 0 && !hasLimits(limits)) continue;
      const fresh = { streaks: NO_STREAKS, askedAt: null, last: null };
      this.#checked.set(worker.id, { worker, limits, chance: Math.random(), ...fresh });
    }
    for (const id of this.#checked.keys()) if (!ready.has(id)) this.#checked.delete(id);
    if (this.#checked.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else if (this.#timer === undefined) {
      this.#tickedAt = this.#now();
      this.#sleep();
    }
  }

  /** Any answer is a sign of life. */
  heard(worker: number, stats: Stats): void {
    const one = this.#checked.get(worker);
    if (one === undefined) return;
    one.askedAt = null;
    one.last = stats;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #sleep(): void {
    this.#timer = setTimeout(() => void this.#tick(), this.#intervalMs());
  }

  #intervalMs(): number {
    const hangs = [...this.#checked.values()].flatMap(({ limits }) => limits.hangTimeoutMs || []);
    return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.min(...hangs) / 4));
  }

  async #tick(): Promise<void> {
    const now = this.#now();
    // Who was stopped itself, or slept with the machine, has heard nobody: that is nobody's fault.
    const wasAway = now - this.#tickedAt > 2 * this.#intervalMs() + SHORTEST_MS;
    this.#tickedAt = now;
    for (const [id, one] of [...this.#checked]) {
      const { askedAt, limits } = one;
      if (askedAt === null || wasAway) {
        one.askedAt = now;
        this.#options.ask(id);
      } else if (limits.hangTimeoutMs > 0 && now - askedAt >= limits.hangTimeoutMs) {
        if (await this.#options.isDebugged?.(id)) {
          one.askedAt = now;
          continue;
        }
        // It may have answered, or gone, meanwhile.
        if (one.askedAt !== askedAt || this.#checked.get(id) !== one) continue;
        this.#checked.delete(id);
        this.#options.dispatch({ type: 'hung', worker: id, silentMs: now - askedAt });
      }
    }
    await this.#judge(now);
    if (!this.#closed && this.#checked.size > 0) this.#sleep();
    else this.#timer = undefined;
  }

  async #judge(now: number): Promise<void> {
    const checked = [...this.#checked.values()].filter(({ limits }) => hasLimits(limits));
    const weighed = checked.filter(({ limits }) => limits.maxMemoryBytes !== null);
    const used =
      weighed.length === 0 ? null : await this.#options.usage(weighed.flatMap(({ worker }) => worker.pid ?? []));
    if (this.#closed) return;
    for (const one of checked) {
      const { worker, limits, last, chance, streaks: before } = one;
      const sample = {
        ageMs: now - (worker.readyAt ?? now),
        rssBytes: used?.get(worker.pid ?? 0)?.rssBytes ?? null,
        requests: last?.requests ?? null,
        eventLoopDelayMs: last?.eventLoopDelayMs ?? null,
      };
      const { streaks, exceeded } = judgeSample(limits, sample, { before, chance });
      one.streaks = streaks;
      if (exceeded !== null && this.#checked.has(worker.id)) {
        this.#options.dispatch({ type: 'exceeded', worker: worker.id, ...exceeded });
      }
    }
  }
}
