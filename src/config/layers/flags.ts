/**
 * Options from the command line, as yargs parsed it: every flag is a text, a list of texts where it was repeated, or true or false for a
 * switch.
 */

import { SETTING_NAMES, SETTINGS, type SettingName } from '../schema/schema.js';
import { fromText, type Given, type Layer, Rejected } from './layer.js';

export const COMMAND_LINE = 'command line';

/** `readyTimeout` → `ready-timeout` */
export function flagOf(name: SettingName): string {
  return name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
}

/** Whether the flag may be given more than once; the values are then put together. */
export function mayRepeat(name: SettingName): boolean {
  return ['words', 'numbers', 'pairs'].includes(SETTINGS[name].reading);
}

/** @param args the application's arguments, after `--`; none at all leaves those of the other sources */
export function readFlags(flags: Readonly<Record<string, unknown>>, args: readonly string[], base: string): Layer {
  const given = new Map<SettingName, Given>();
  for (const name of SETTING_NAMES) {
    const value = flags[name];
    if (name !== 'args' && value !== undefined)
      given.set(name, { path: `--${flagOf(name)}`, raw: readFlag(name, value) });
  }
  if (args.length > 0) given.set('args', { path: 'arguments after --', raw: [...args] });
  return { source: COMMAND_LINE, base, given };
}

function readFlag(name: SettingName, value: unknown): unknown {
  if (SETTINGS[name].reading === 'switch' && typeof value === 'boolean') return value;
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > 1 && !mayRepeat(name)) return new Rejected('must be given once');
  // Not a text: yargs turned `--no-…` into false.
  const raws = texts.map((text) =>
    typeof text === 'string' ? fromText(name, text) : new Rejected('must have a value'),
  );
  const rejected = raws.find((raw) => raw instanceof Rejected);
  if (rejected !== undefined || !mayRepeat(name)) return rejected ?? raws[0];
  // Lists end to end, pairs one over the other.
  return raws.every(Array.isArray)
    ? raws.flat()
    : Object.fromEntries(raws.flatMap((raw) => Object.entries(raw as object)));
}
