/** What is asked about the application and its workers: descriptions, profiles, the inspector. Decides nothing. */
import type { Before, State } from '../../core/state/types.js';
import type {
  ControlResult,
  DescribeOptions,
  Description,
  InspectOptions,
  ProfileOptions,
  RestartRecord,
} from '../../protocol/control.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import type { Releases } from '../deployments/releases.js';
import type { Progress } from '../requests.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import type { Examinations } from '../workers/questions/examinations.js';
import { chooseWorker, describe } from './describe.js';
import { RestartHistory } from './restart-history.js';

export interface InsightOptions {
  readonly state: () => State;
  readonly releases: Releases;
  readonly workers: () => ReadonlyMap<number, WorkerHandle>;
  readonly examinations: Examinations;
}

export class Insight {
  readonly #options: InsightOptions;
  readonly #history = new RestartHistory();

  constructor(options: InsightOptions) {
    this.#options = options;
  }

  #examining = 0;

  /** What has become of workers, the newest last. */
  get records(): readonly RestartRecord[] {
    return this.#history.records;
  }

  /** Whether a worker is being profiled, or its inspector is open. */
  get isBusy(): boolean {
    return this.#examining > 0;
  }

  goOnWith(before: Pick<Before, 'slots' | 'rollout'>, records: readonly RestartRecord[]): void {
    this.#history.goOnWith(before, records);
  }

  /** Remembers what has become of workers. */
  review(state: State): void {
    this.#history.review(state);
  }

  /** Nothing of a profile is to be left behind: at the start, and at the end. */
  tidy(): void {
    this.#options.examinations.tidy();
  }

  profile(options: ProfileOptions, progress: Progress, gone: AbortSignal): Promise<ControlResult> {
    return this.#examine(options.of, (handle, worker) => {
      progress({ type: 'progress', message: 'profiling', fields: { worker } });
      return this.#options.examinations.profile(handle, options, gone);
    });
  }

  inspect({ of }: InspectOptions, progress: Progress, gone: AbortSignal): Promise<ControlResult> {
    return this.#examine(of, (handle, worker) => {
      const opened = (url: string) => progress({ type: 'progress', message: 'inspector', fields: { worker, url } });
      return this.#options.examinations.inspect(handle, opened, gone);
    });
  }

  /** @throws HoldfastError NO_WORKER */
  describe({ of, secrets = false }: DescribeOptions, status: SupervisorStatus): Description {
    const { state, releases } = this.#options;
    const now = state();
    const worker = of === undefined ? null : { ...chooseWorker(now, of === 'first' ? null : of) };
    const release = releases.of(now, worker?.generation ?? now.target);
    const restarts = this.#history.records;
    return describe({ status, worker, release, restarts, inherited: process.env, secrets });
  }

  /** @throws HoldfastError NO_WORKER */
  async #examine(
    of: number | 'first',
    act: (handle: WorkerHandle, worker: number) => Promise<ControlResult>,
  ): Promise<ControlResult> {
    const { id } = chooseWorker(this.#options.state(), of === 'first' ? null : of);
    const handle = this.#options.workers().get(id);
    if (handle === undefined) return { ok: false, message: 'failed', reason: `worker ${id} has ended` };
    this.#examining += 1;
    try {
      return await act(handle, id);
    } finally {
      this.#examining -= 1;
    }
  }
}
