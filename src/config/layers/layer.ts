/**
 * One source of options, before validation: what a file, the environment or the command line gives, and what became of it.
 */
import * as z from 'zod/mini';
import { type Fault, show } from '../schema/fault.js';
import { SETTINGS, type SettingName, type Validated } from '../schema/schema.js';
import { splitWords } from './split-words.js';

/** An option as one source gives it. */
export interface Given {
  /** As its owner spells it there: `instances`, `HOLDFAST_INSTANCES`, `--instances`. */
  readonly path: string;
  readonly raw: unknown;
  /** Of an object that several places have given: which of them has given a member. */
  readonly members?: Readonly<Record<string, string>>;
}

/** Stands for a value that is wrong by the rules of its source already, whatever the schema says. */
export class Rejected {
  readonly allowed: string;

  constructor(allowed: string) {
    this.allowed = allowed;
  }
}

export interface Layer {
  /** The file's absolute path, `environment` or `command line`. */
  readonly source: string;
  /** The folder that its relative paths start from. */
  readonly base: string;
  readonly given: ReadonlyMap<SettingName, Given>;
}

/** The options of a layer that passed, and the faults of those that did not. */
export interface Checked {
  readonly layer: Layer;
  readonly values: Partial<Validated>;
  readonly faults: readonly Fault[];
}

export function checkLayer(layer: Layer): Checked {
  const values: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const [name, { path, raw }] of layer.given) {
    if (raw instanceof Rejected) {
      faults.push({ source: layer.source, path, value: null, allowed: raw.allowed });
      continue;
    }
    const { schema, secret = false } = SETTINGS[name] as { schema: z.core.$ZodType; secret?: boolean };
    const result = z.safeParse(schema, raw);
    if (result.success) {
      values[name] = result.data;
      continue;
    }
    for (const issue of result.error.issues) {
      faults.push({
        source: layer.source,
        path: path + issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join(''),
        value: secret ? null : show(issue.path.reduce(member, raw)),
        allowed: issue.message,
      });
    }
  }
  return { layer, values: values as Partial<Validated>, faults };
}

/** What an option has when no source gives it. */
export function defaultOf<K extends SettingName>(name: K): Validated[K] {
  return SETTINGS[name].value as Validated[K];
}

/**
 * Text from the environment or the command line, turned into what a configuration file would have. What cannot be
 * turned stays text, for the schema to refuse, or is rejected.
 */
export function fromText(name: SettingName, text: string): unknown {
  switch (SETTINGS[name].reading) {
    case 'number':
      return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
    case 'words':
      return splitWords(text) ?? new Rejected('must have every quote closed and no backslash at its end');
    case 'numbers':
      return text.split(/[\s,]+/).map((word) => (/^\d+$/.test(word) ? Number(word) : word));
    case 'switch':
      return /^(?:true|1)$/.test(text) ? true : /^(?:false|0)$/.test(text) ? false : text;
    case 'pairs': {
      const equals = text.indexOf('=');
      if (equals < 1) return new Rejected('must be KEY=VALUE');
      return Object.fromEntries([[text.slice(0, equals), text.slice(equals + 1)]]);
    }
    default:
      return text;
  }
}

function member(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}
