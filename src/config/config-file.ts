/**
 * The configuration file: which targets are one, and how it becomes a layer of options.
 */
import path from 'node:path';
import { didYouMean } from '../nearest.js';
import { type Fault, show } from './fault.js';
import { JsonFault, parseJson } from './json-text.js';
import type { Given, Layer } from './layer.js';
import { loadModule } from './module-file.js';
import { SETTING_NAMES, SETTINGS, type SettingName } from './schema.js';
import { readTextFile, Unreadable } from './text-file.js';

export interface ConfigFileRead {
  /** null if there is nothing to be had of the file. */
  readonly layer: Layer | null;
  readonly faults: readonly Fault[];
}

/** @param file absolute path */
export async function readConfigFile(file: string): Promise<ConfigFileRead> {
  try {
    return readContents(await parse(file), file, path.dirname(file));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { layer: null, faults: [{ source: file, path: '', value: null, allowed: error.message }] };
  }
}

/** What is in it, be it from a file or not. @throws Unreadable for what has no options */
export function readContents(contents: unknown, source: string, base: string): ConfigFileRead {
  if (contents === undefined || contents === null) throw new Unreadable('must not be empty');
  if (typeof contents !== 'object' || Array.isArray(contents)) {
    throw new Unreadable(
      `must be an object with options, not ${Array.isArray(contents) ? show(contents) : typeof contents}`,
    );
  }
  const given = new Map<SettingName, Given>();
  const faults: Fault[] = [];
  for (const [key, raw] of Object.entries(contents)) {
    if (Object.hasOwn(SETTINGS, key)) {
      // A program's way to leave an option out.
      if (raw !== undefined) given.set(key as SettingName, { path: key, raw });
    } else if (key !== '$schema') {
      faults.push({ source, path: key, value: null, allowed: unknownOption(key) });
    }
  }
  return { layer: { source, base, given }, faults };
}

async function parse(file: string): Promise<unknown> {
  const extension = path.extname(file).toLowerCase();
  if (extension.endsWith('js')) return loadModule(file);
  const text = await readTextFile(file);
  if (text.trim() === '') throw new Unreadable('must not be empty');
  if (extension !== '.json') {
    const { parseYaml } = await import('./yaml-text.js');
    return parseYaml(text, ['args', 'env'] satisfies SettingName[]);
  }
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new Unreadable(`must be JSON; line ${error.line}, column ${error.column}: ${error.message}`);
  }
}

function unknownOption(key: string): string {
  if (key === 'apps') return 'no such option; one supervisor runs one application, whose options stand at the top';
  return `no such option${didYouMean(key, SETTING_NAMES)}`;
}
