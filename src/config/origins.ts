/**
 * Where each value of a configuration has come from, for people who ask why it is as it is. Pure.
 */
import type { Config } from './config.js';
import type { Checked } from './layers/layer.js';
import type { ChosenOptions } from './layers/precedence.js';
import type { Found } from './locate.js';
import { SETTING_NAMES, SETTINGS, type Setting, type SettingName } from './schema/schema.js';

export interface SettingOrigin {
  /** As in a configuration file. */
  readonly name: string;
  /** As its owner would write it; null where there is none. */
  readonly value: string | null;
  /** The file's absolute path, `environment`, `command line` or `default`. */
  readonly source: string;
  /** The place there, as its owner spells it: `HOLDFAST_SURGE`, `--surge`; '' for a default. */
  readonly path: string;
  /** Its value may be a secret. */
  readonly isSecret: boolean;
}

export interface Origins {
  readonly settings: readonly SettingOrigin[];
  /** By the name of a variable of the workers: what gives it. */
  readonly variables: Readonly<Record<string, string>>;
}

export const DEFAULT = 'default';

/** @param layers from the weakest to the strongest, with the options that passed */
export function originsOf(
  layers: readonly Checked[],
  chosen: ChosenOptions,
  { found, config }: { readonly found: Found; readonly config: Config },
): Origins {
  const settings = SETTING_NAMES.filter((name) => name !== 'env').map((name): SettingOrigin => {
    const { secret = false, default: fallback }: Setting = SETTINGS[name];
    const given = layers.findLast(({ values }) => values[name] !== undefined)?.layer;
    const raw = given?.given.get(name)?.raw ?? derived(name, config) ?? fallback;
    const text = textOf(raw);
    const result = resultOf(name, raw, config);
    const value = result === null ? text : `${text} (${result})`;
    const at = chosen.get(name);
    return { name, value, source: at?.source ?? DEFAULT, path: at?.path ?? '', isSecret: secret };
  });
  return { settings, variables: variablesOf(layers, found, chosen) };
}

/** What is made of other options where nobody gives it. */
function derived(name: SettingName, config: Config): unknown {
  if (name === 'ready' && config.exec) return config.ready;
  return name === 'name' || name === 'cwd' || name === 'script' ? config[name] : undefined;
}

/** What a value comes to that goes by the machine or by another option; null for every other. */
function resultOf(name: SettingName, raw: unknown, { instances, surge, maxMemoryBytes }: Config): string | null {
  if (name === 'instances' && raw === 'max') return String(instances);
  if (!String(raw).endsWith('%')) return null;
  if (name === 'surge') return String(surge);
  return name === 'maxMemory' ? `${Math.floor((maxMemoryBytes ?? 0) / 1024 ** 2)}M for each worker` : null;
}

function textOf(raw: unknown): string | null {
  if (raw === undefined || raw === null) return null;
  if (!Array.isArray(raw)) return typeof raw === 'object' ? JSON.stringify(raw) : String(raw);
  return raw.length === 0 ? null : raw.map(String).join(' ');
}

/** In the order in which they are laid over each other, as in the configuration itself. */
function variablesOf(layers: readonly Checked[], found: Found, chosen: ChosenOptions): Record<string, string> {
  const origins: Record<string, string> = {};
  const note = (names: object | undefined, origin: (name: string) => string) => {
    for (const name of Object.keys(names ?? {})) origins[name] = origin(name);
  };
  note(found.program?.env, () => found.program?.said ?? 'the command');
  note(found.envFileVariables, () => `envFile ${chosen.get('envFile')?.value ?? ''}`);
  for (const { layer, values } of layers) {
    const given = layer.given.get('env');
    note(values.env, (name) => `${given?.members?.[name] ?? given?.path ?? 'env'}, ${layer.source}`);
  }
  return origins;
}
