/**
 * Takes what changes the application or its size to the core, and answers with what came of it. Refuses only what the core
 * could not be asked.
 */
import type { Log } from '../logs/logger.js';
import type { ControlResult, ReloadOptions } from '../protocol/control.js';
import { beforeReload } from './deployments/before-reload.js';
import { whatWouldChange } from './deployments/changes.js';
import { Deployments, type Ready } from './deployments/deployments.js';
import type { Releases } from './deployments/releases.js';
import type { Loop } from './loop.js';
import type { Progress, Requests } from './requests.js';

const SIZE_LIMIT = 256;

export interface CommandsParts {
  readonly loop: Loop;
  readonly log: Log;
  readonly releases: Releases;
  readonly requests: Requests;
  /** Whether shares of connections are what they are said to be. */
  readonly isExact: () => boolean;
  /** Tells who asks for a reload of another version of holdfast that is installed. */
  readonly tellInstalled: (progress: Progress) => Promise<void>;
}

export class Commands {
  readonly #parts: CommandsParts;
  readonly #deployments: Deployments;

  constructor(parts: CommandsParts) {
    this.#parts = parts;
    const { loop, log, releases } = parts;
    this.#deployments = new Deployments({
      read: () => releases.next(),
      letGo: (release) => releases.letGo(release, loop.state),
      sizeOf: (release) => releases.sizeOf(release, loop.state),
      prepare: (release, progress, signal) => beforeReload(release, { progress, log, signal }),
      dispatch: (ready, progress) => this.#deploy(ready, progress),
      onRefused: (type, reason) => log.logger.error({ reason }, `${type} refused`),
    });
  }

  /** Whether a reload or a restart is being prepared, of which the core does not know yet. */
  get isPreparing(): boolean {
    return this.#deployments.isBusy;
  }

  /** From now on reloads and restarts are refused. */
  close(reason: string): void {
    this.#deployments.close(reason);
  }

  reload(progress: Progress, { canary, dryRun = false }: ReloadOptions = {}): Promise<ControlResult> {
    const { loop, log, releases, tellInstalled } = this.#parts;
    if (dryRun) return whatWouldChange(releases, loop.state);
    if (canary !== undefined && loop.state.size >= SIZE_LIMIT) {
      const reason = `cannot start a canary beside ${SIZE_LIMIT} workers: there is no slot left for it`;
      log.logger.error({ reason }, 'reload refused');
      return Promise.resolve({ ok: false, message: 'failed', reason });
    }
    // Beside it: a reload replaces workers, and not this program.
    void tellInstalled(progress);
    return this.#deployments.deploy({ type: 'reload', canary: canary ?? null }, progress);
  }

  promote(progress: Progress): Promise<ControlResult> {
    const { loop, requests } = this.#parts;
    return requests.open('promoted', progress, (request) => loop.dispatch({ type: 'promote', request }));
  }

  abort(progress: Progress): Promise<ControlResult> {
    const { loop, requests } = this.#parts;
    const cancelled = this.#deployments.cancel('aborted by hand');
    const { state } = loop.state.rollout;
    if (cancelled && state !== 'running' && state !== 'rollingBack') {
      return Promise.resolve({ ok: true, message: 'rolled back', reason: null });
    }
    return requests.open('rolled back', progress, (request) => loop.dispatch({ type: 'abort', request }));
  }

  restart(progress: Progress): Promise<ControlResult> {
    return this.#deployments.deploy({ type: 'restart', canary: null }, progress);
  }

  scale(change: string, progress: Progress): Promise<ControlResult> {
    const { loop, log, requests } = this.#parts;
    const present = loop.state.size;
    const wanted = /^[+-]/.test(change) ? present + Number(change) : Number(change);
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > SIZE_LIMIT) {
      const now = present === 1 ? 'is 1 slot' : `are ${present} slots`;
      const reason = `cannot scale by "${change}": there ${now}, and 1 to ${SIZE_LIMIT} are possible`;
      log.logger.warn({ reason }, 'scale refused');
      return Promise.resolve({ ok: false, message: 'failed', reason });
    }
    return requests.open(`scaled to ${wanted}`, progress, (request) =>
      loop.dispatch({ type: 'scale', request, size: wanted }),
    );
  }

  stop(progress: Progress): Promise<ControlResult> {
    const { loop, requests } = this.#parts;
    return requests.open('stopped', progress, (request) => loop.dispatch({ type: 'stop', request }));
  }

  #deploy({ type, canary, policy, size }: Ready, progress: Progress): Promise<ControlResult> {
    const { loop, log, requests, isExact } = this.#parts;
    if (canary !== null && !isExact()) {
      const hint = 'without steering the kernel shares equally: the share of the canary is approximate';
      log.logger.warn({ hint }, 'canary share');
      progress({ type: 'progress', message: 'canary share', fields: { hint } });
    }
    return requests.open(type, progress, (request) =>
      loop.dispatch(type === 'reload' ? { type, request, policy, size, canary } : { type, request, policy, size }),
    );
  }
}
