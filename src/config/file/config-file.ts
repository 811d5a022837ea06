/**
 * The configuration file: how it is read, and how it becomes a layer of options. Which applications it has: see applications.ts.
 */
import path from 'node:path';
import { didYouMean } from '../../nearest.js';
import type { Given, Layer } from '../layers/layer.js';
import { isPm2Name } from '../pm2/recognize.js';
import { type Fault, show } from '../schema/fault.js';
import { SETTING_NAMES, SETTINGS, type SettingName } from '../schema/schema.js';
import { JsonFault, parseJson } from '../text/json-text.js';
import { readTextFile, Unreadable } from '../text/text-file.js';
import { loadModule } from './module-file.js';

export interface ConfigFileRead {
  readonly layer: Layer;
  readonly faults: readonly Fault[];
}

/** What stands in the file, before anything is known of its options. */
export type Contents =
  | { readonly value: object }
  /** Nothing is to be had of it. */
  | { readonly fault: Fault };

/** @param file absolute path */
export async function readContents(file: string): Promise<Contents> {
  try {
    const value = await parse(file);
    if (value === undefined || value === null) throw new Unreadable('must not be empty');
    // PM2's file may be a list of applications.
    if (typeof value !== 'object' || (Array.isArray(value) && !isListOfObjects(value))) {
      throw new Unreadable(`must be an object with options, not ${Array.isArray(value) ? show(value) : typeof value}`);
    }
    return { value };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { fault: { source: file, path: '', value: null, allowed: error.message } };
  }
}

/**
 * @param source the absolute path of the file, or what else they come from
 * @param at where the options are in it: `apps[0].`, or '' for all of it
 * @param base the folder that relative paths start from
 */
export function readOptions(contents: object, source: string, at = '', base = path.dirname(source)): ConfigFileRead {
  const given = new Map<SettingName, Given>();
  const faults: Fault[] = [];
  for (const [key, raw] of Object.entries(contents)) {
    if (Object.hasOwn(SETTINGS, key)) {
      // A program's way to leave an option out.
      if (raw !== undefined) given.set(key as SettingName, { path: `${at}${key}`, raw });
    } else if (key !== '$schema' || at !== '') {
      const allowed = `no such option${didYouMean(key, SETTING_NAMES)}`;
      faults.push({ source, path: `${at}${key}`, value: null, allowed });
    }
  }
  return { layer: { source, base, given }, faults };
}

function isListOfObjects(list: readonly unknown[]): boolean {
  return list.length > 0 && list.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item));
}

async function parse(file: string): Promise<unknown> {
  const extension = path.extname(file).toLowerCase();
  if (extension.endsWith('js')) return loadModule(file);
  const text = await readTextFile(file);
  if (text.trim() === '') throw new Unreadable('must not be empty');
  if (extension !== '.json') {
    const { parseYaml } = await import('../text/yaml-text.js');
    return parseYaml(text, ['args', 'env'] satisfies SettingName[]);
  }
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    // PM2 reads its JSON as JavaScript: with comments, and names without quotes.
    const loose = isPm2Name(file) ? await (await import('../pm2/loose-json.js')).parseLooseJson(text) : undefined;
    if (loose !== undefined) return loose;
    throw new Unreadable(`must be JSON; line ${error.line}, column ${error.column}: ${error.message}`);
  }
}
