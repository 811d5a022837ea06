/**
 * Compares a canary with the workers that serve beside it: asks both for their figures once a second while there is one, and
 * tells the core what they come to.
 */
import {
  add,
  type CanaryLimits,
  compareCanary,
  figuresOf,
  NO_FIGURES,
  subtract,
  type Verdict,
} from '../../core/plan/canary.js';
import type { Event } from '../../core/state/events.js';
import type { State } from '../../core/state/types.js';
import type { WorkerFigures } from '../../protocol/measured.js';
import type { CanaryStatus } from '../../protocol/status.js';
import type { Stats } from '../workers/questions/stats.js';

const INTERVAL_MS = 1_000;
/** A worker that does not answer within a second is late by at least that. */
const SILENT_MS = 1_000;

export interface CanaryWatchOptions {
  readonly dispatch: (event: Event) => void;
  /** Of a worker, since it began; null where it does not answer. */
  readonly figures: (worker: number) => Promise<Stats | null>;
  readonly limits: () => CanaryLimits;
}

export class CanaryWatch {
  readonly #options: CanaryWatchOptions;
  #state: State | undefined;
  /** The generation of the canary that is being watched. */
  #generation: number | null = null;
  /** What each worker had when it was asked for the first time. */
  readonly #before = new Map<number, WorkerFigures>();
  readonly #delays: Record<'canary' | 'baseline', number[]> = { canary: [], baseline: [] };
  #timer: NodeJS.Timeout | undefined;
  /** Of the last look; null while no canary is watched. */
  figures: CanaryStatus['figures'] = null;

  constructor(options: CanaryWatchOptions) {
    this.#options = options;
  }

  review(state: State): void {
    this.#state = state;
    const { canary, to } = state.rollout;
    const watched = canary !== null && canary.until !== null ? to : null;
    if (watched === this.#generation) return;
    this.close();
    this.#generation = watched;
    if (watched === null) return;
    void this.#compare(watched);
    this.#timer = setInterval(() => void this.#look(watched), INTERVAL_MS);
  }

  /** The last word. */
  async judge(generation: number): Promise<void> {
    const { verdict, reason } = await this.#compare(generation);
    this.#options.dispatch({ type: 'canaryJudged', generation, verdict, reason, final: true });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#generation = null;
    this.figures = null;
    this.#before.clear();
    this.#delays.canary = [];
    this.#delays.baseline = [];
  }

  async #look(generation: number): Promise<void> {
    const { verdict, reason } = await this.#compare(generation);
    if (verdict !== 'worse' || this.#generation !== generation) return;
    this.#options.dispatch({ type: 'canaryJudged', generation, verdict, reason, final: false });
  }

  async #compare(generation: number): Promise<Verdict> {
    const workers = (this.#state?.workers ?? []).filter(({ state }) => state === 'ready');
    const told = await Promise.all(
      workers.map(async ({ id, generation: own }) => ({ id, own, stats: await this.#options.figures(id) })),
    );
    const figures = { canary: NO_FIGURES, baseline: NO_FIGURES };
    for (const { id, own, stats } of told) {
      const side = own === generation ? 'canary' : 'baseline';
      this.#delays[side].push(stats?.eventLoopDelayMs ?? SILENT_MS);
      if (stats?.figures === undefined) continue;
      const before = this.#before.get(id);
      if (before === undefined) this.#before.set(id, stats.figures);
      else figures[side] = add(figures[side], subtract(stats.figures, before));
    }
    const canary = { figures: figures.canary, loopDelaysMs: this.#delays.canary };
    const others = { figures: figures.baseline, loopDelaysMs: this.#delays.baseline };
    if (this.#generation === generation) this.figures = { canary: figuresOf(canary), others: figuresOf(others) };
    return compareCanary(canary, others, this.#options.limits());
  }
}
