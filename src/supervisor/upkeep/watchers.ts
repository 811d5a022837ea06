/** Who looks at the workers again and again: their vital signs, the canary's figures, the queues that are steered by. */

import type { State, Worker } from '../../core/state/types.js';
import type { AnyEvent } from '../../core/supervision.js';
import type { Log } from '../../logs/logger.js';
import { usage } from '../../monitor/usage.js';
import type { NativeLoad } from '../../native/libc.js';
import type { Custody } from '../../sockets/custody/custody.js';
import type { Release } from '../deployments/release.js';
import type { Releases } from '../deployments/releases.js';
import type { Workforce } from '../workers/workforce.js';
import { CanaryWatch } from './canary-watch.js';
import { limitsOfCanary, limitsOfWorker } from './limits.js';
import { LivenessChecks } from './liveness-checks.js';
import { Steering } from './steering/steering.js';

export interface WatchersOptions {
  /** What the supervisor began with. */
  readonly release: Release;
  readonly state: () => State;
  readonly releases: Releases;
  readonly workforce: Workforce;
  readonly custody: Custody;
  readonly native: NativeLoad;
  readonly log: Log;
  readonly dispatch: (event: AnyEvent) => void;
}

export class Watchers {
  readonly canary: CanaryWatch;
  /** undefined where nothing is steered. */
  readonly steering: Steering | undefined;
  readonly #liveness: LivenessChecks;

  constructor(options: WatchersOptions) {
    const { state, releases, workforce, custody, native, log, dispatch } = options;
    const ask = (worker: number) => workforce.ask(worker);
    const configOf = (worker: Worker) => releases.of(state(), worker.generation).config;
    const expected = (worker: Worker) => limitsOfWorker(configOf(worker), state().size);
    const isDebugged = (worker: number) => workforce.isDebugged(worker);
    this.#liveness = new LivenessChecks({ dispatch, ask, usage, expected, isDebugged });
    this.canary = new CanaryWatch({
      dispatch,
      figures: (worker) => workforce.figures(worker),
      limits: () => limitsOfCanary(releases.of(state(), state().rollout.to).config),
    });
    workforce.onStats = (worker, stats) => {
      this.#liveness.heard(worker, stats);
      this.steering?.heard(worker, stats);
    };
    if (custody.groups === null || !native.ok) return;
    const { affinity, adoptAfterMs } = options.release.config;
    const how = { groups: custody.groups, native: native.native, log, affinity, adoptAfterMs, dispatch, ask };
    this.steering = new Steering(how, state());
  }

  review(state: State): void {
    this.steering?.review(state);
    this.#liveness.review(state);
    this.canary.review(state);
  }

  close(): void {
    this.steering?.close();
    this.#liveness.close();
    this.canary.close();
  }
}
