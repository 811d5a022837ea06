/** The releases that some generation still needs, and how the next one comes to be. */
import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from '../../config/load.js';
import type { State } from '../../core/state/types.js';
import { HoldfastError } from '../../errors.js';
import type { Log } from '../../logs/logger.js';
import { FIXED } from './fixed-options.js';
import { type Release, resolveRelease } from './release.js';

export class Releases {
  readonly #first: Release;
  readonly #log: Log;
  readonly #reloadConfig: () => Promise<LoadedConfig>;
  readonly #known = new Map<number, Release>();
  /** Being prepared, or waited for: the core may not know of them yet. */
  readonly #held = new Set<number>();
  #lastId: number;

  constructor(first: Release, reloadConfig: () => Promise<LoadedConfig>, log: Log) {
    this.#first = first;
    this.#lastId = first.id;
    this.#log = log;
    this.#reloadConfig = reloadConfig;
    this.#known.set(first.id, first);
  }

  /** The release of a generation that the core still knows. */
  of(state: State, generation: number): Release {
    const release = this.#known.get(state.policies[generation]?.release ?? Number.NaN);
    if (release === undefined) throw new Error(`generation ${generation} has no release`);
    return release;
  }

  /**
   * Reads configuration and links anew. The release is kept until it is let go of, and then for as long as the core has it.
   *
   * @throws HoldfastError for what is wrong with either
   */
  async next(): Promise<Release> {
    const loaded = await this.#reloadConfig();
    for (const warning of loaded.warnings) this.#log.logger.warn({ warning }, 'configuration');
    if (loaded.config.exec !== this.#first.config.exec) {
      throw new HoldfastError(
        'KIND_CHANGED',
        'cannot change exec in a reload: programs and Node workers do not share sockets',
        {
          hint: 'run holdfast stop, then holdfast start',
        },
      );
    }
    this.#lastId += 1;
    const release = await resolveRelease(this.#lastId, loaded.config, loaded);
    this.#warnOfFixed(release);
    this.#known.set(release.id, release);
    this.#held.add(release.id);
    return release;
  }

  /** What the next release would be; nothing is kept of it. */
  async peek(): Promise<Release> {
    const { config } = await this.#reloadConfig();
    return resolveRelease(this.#lastId + 1, config);
  }

  /**
   * The size that a release asks for where that has changed since the generation that all slots have reached; null
   * otherwise: a size that came by `scale` stays.
   */
  sizeOf({ config }: Release, state: State): number | null {
    return config.instances === this.of(state, state.stable).config.instances ? null : config.instances;
  }

  letGo({ id }: Release, state: State): void {
    this.#held.delete(id);
    this.forget(state);
  }

  /** Lets go of what no generation needs any more. */
  forget(state: State): void {
    const needed = new Set([
      ...this.#held,
      ...Object.values(state.policies).map((policy) => policy.release),
      state.queuedReload?.policy.release,
      state.restart?.policy.release,
    ]);
    for (const id of this.#known.keys()) if (!needed.has(id)) this.#known.delete(id);
  }

  /** Some settings belong to the supervisor itself and stay as they were at its start. */
  #warnOfFixed(release: Release): void {
    for (const option of FIXED) {
      if (isDeepStrictEqual(this.#first.config[option], release.config[option])) continue;
      this.#log.logger.warn({ option }, 'this setting changes only when the supervisor is started anew');
    }
  }
}
