/**
 * Which source an option is taken from: the later layer wins, option by option. Pure.
 */

import { SETTING_NAMES, type SettingName, type Validated } from '../schema/schema.js';
import type { Checked } from './layer.js';

/** An option that some source gives, with the place it comes from. */
export interface Chosen<T> {
  readonly source: string;
  readonly path: string;
  /** The folder that a relative path starts from. */
  readonly base: string;
  readonly value: T;
}

/** Options by name; those that no source gives are not in it. */
export interface ChosenOptions {
  get<K extends SettingName>(name: K): Chosen<NonNullable<Validated[K]>> | undefined;
  set<K extends SettingName>(name: K, chosen: Chosen<NonNullable<Validated[K]>>): unknown;
}

/** @param layers from the weakest to the strongest. Those of `env` are laid over each other, variable by variable. */
export function choose(layers: readonly Checked[]): ChosenOptions {
  const chosen = new Map<SettingName, Chosen<unknown>>();
  for (const { layer, values } of layers) {
    for (const name of SETTING_NAMES) {
      let value: unknown = values[name];
      if (value === undefined) continue;
      const weaker = chosen.get(name)?.value;
      if (name === 'env' && weaker !== undefined) value = { ...weaker, ...(value as object) };
      const path = layer.given.get(name)?.path ?? name;
      chosen.set(name, { source: layer.source, path, base: layer.base, value });
    }
  }
  return chosen as ChosenOptions;
}
