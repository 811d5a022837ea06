/** The releases that some generation still needs, and how the next one comes to be. */
import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from '../config/load.js';
import type { State } from '../core/types.js';
import type { Log } from '../logs/logger.js';
import { type Release, resolveRelease } from './release.js';

/** Settings that belong to the supervisor itself, not to a generation. */
const FIXED = [
  'name',
  'listenMode',
  'steering',
  'affinity',
  'adoptAfterMs',
  'bindTimeoutMs',
  'logFile',
  'logFormat',
  'logLevel',
  'admin',
  'adminNames',
  'reloadCron',
  'reloadCronTimeZone',
  'watch',
] as const;

interface Renewed {
  readonly release: Release;
  readonly size: number | null;
}

export class Releases {
  readonly #first: Release;
  readonly #log: Log;
  readonly #reloadConfig: () => Promise<LoadedConfig>;
  readonly #known = new Map<number, Release>();
  #newest: Release;
  #lastId: number;
  /** Settles when nobody reads any more. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(first: Release, reloadConfig: () => Promise<LoadedConfig>, log: Log) {
    this.#first = first;
    this.#newest = first;
    this.#lastId = first.id;
    this.#log = log;
    this.#reloadConfig = reloadConfig;
    this.#known.set(first.id, first);
  }

  get newest(): Release {
    return this.#newest;
  }

  /** The release of a generation that the core still knows. */
  of(state: State, generation: number): Release {
    const release = this.#known.get(state.policies[generation]?.release ?? Number.NaN);
    if (release === undefined) throw new Error(`generation ${generation} has no release`);
    return release;
  }

  /**
   * Reads configuration and links anew.
   *
   * @returns the release, and the size that its configuration asks for where that has changed since the generation
   *   that all slots have reached: a size that came by `scale` stays otherwise
   * @throws HoldfastError for what is wrong with either
   */
  next(present: () => State): Promise<Renewed> {
    // In turn: one that has read an older file must not come after one that has read a newer.
    const renewed = this.#last.then(() => this.#read(present));
    this.#last = renewed.catch(() => {});
    return renewed;
  }

  /** What the next release would be; nothing is kept of it. */
  async peek(): Promise<Release> {
    const { config } = await this.#reloadConfig();
    return resolveRelease(this.#lastId + 1, config);
  }

  async #read(present: () => State): Promise<Renewed> {
    const { config, warnings } = await this.#reloadConfig();
    for (const warning of warnings) this.#log.logger.warn({ warning }, 'configuration');
    this.#lastId += 1;
    const release = await resolveRelease(this.#lastId, config);
    this.#warnOfFixed(release);
    const state = present();
    const accepted = this.of(state, state.stable).config.instances;
    const size = config.instances === accepted ? null : config.instances;
    this.#newest = release;
    this.#known.set(release.id, release);
    return { release, size };
  }

  /** Lets go of what no generation needs any more. */
  forget(state: State): void {
    const needed = new Set([
      this.#newest.id,
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
