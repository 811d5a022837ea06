/** package.json: finding it, reading it, and the entry file that it names. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { readTextFile, Unreadable } from '../../text/text-file.js';

export interface Manifest {
  /** Absolute path of the package's folder. */
  readonly folder: string;
  readonly contents: Readonly<Record<string, unknown>>;
}

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts'];
/** Under which an entry file of `exports` is run. https://nodejs.org/api/packages.html#conditional-exports */
const CONDITIONS = new Set('node import require module-sync default'.split(' '));

/**
 * The package.json of this very folder; null if there is none.
 *
 * @throws Unreadable where it cannot be read, or is no object
 */
export async function manifestIn(folder: string): Promise<Manifest | null> {
  const file = path.join(folder, 'package.json');
  if (!(await isFile(file))) return null;
  let contents: unknown;
  try {
    contents = JSON.parse(await readTextFile(file));
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(`must have a package.json that is JSON; ${file} is not`, { cause: error });
  }
  if (typeof contents !== 'object' || contents === null || Array.isArray(contents)) {
    throw new Unreadable(`must have a package.json with an object; ${file} has none`);
  }
  return { folder, contents: contents as Record<string, unknown> };
}

/** The nearest one, from a folder upwards. @throws Unreadable */
export async function nearestManifest(folder: string): Promise<Manifest | null> {
  for (const parent of upwards(folder)) {
    const manifest = await manifestIn(parent);
    if (manifest !== null) return manifest;
  }
  return null;
}

/** A script of it, with what runs before and after. */
export function scriptOf({ contents }: Manifest, name: string): string | null {
  const scripts = textsOf(contents.scripts);
  return Object.hasOwn(scripts, name) ? (scripts[name] ?? null) : null;
}

export function scriptNames({ contents }: Manifest): string[] {
  return Object.keys(textsOf(contents.scripts));
}

/** The file that `exports`, else `main`, names, if it is there; absolute. */
export async function entryOf({ folder, contents }: Manifest): Promise<string | null> {
  const { exports, main } = contents;
  for (const named of [exportedEntry(exports), typeof main === 'string' ? main : null]) {
    const entry = named === null ? null : await moduleFile(path.join(folder, named));
    if (entry !== null) return entry;
  }
  return null;
}

/** What `exports` has for the package itself. Pure. */
export function exportedEntry(exports: unknown): string | null {
  if (typeof exports === 'string') return exports;
  if (Array.isArray(exports)) return exports.map(exportedEntry).find((entry) => entry !== null) ?? null;
  if (typeof exports !== 'object' || exports === null) return null;
  const entries = Object.entries(exports);
  if (entries.some(([key]) => key.startsWith('.'))) return exportedEntry((exports as Record<string, unknown>)['.']);
  for (const [condition, target] of entries) {
    const entry = CONDITIONS.has(condition) ? exportedEntry(target) : null;
    if (entry !== null) return entry;
  }
  return null;
}

/** A file of a folder that looks like its entry, relative to it: for a hint. */
export async function likelyEntry(folder: string): Promise<string | null> {
  for (const name of ['index', 'server', 'app', 'main']) {
    for (const extension of EXTENSIONS) if (await isFile(path.join(folder, name + extension))) return name + extension;
  }
  return null;
}

/** The file that node runs for a path: itself, with an extension, or a folder's index. */
export async function moduleFile(file: string): Promise<string | null> {
  const ends = /[/\\.]$/.test(file) ? [] : ['', ...EXTENSIONS];
  for (const candidate of [...ends.map((end) => file + end), path.join(file, 'index.js')]) {
    if (await isFile(candidate)) return candidate;
  }
  return null;
}

/** A program of the package: the one of its own name, or the only one. Absolute. */
export function programOf({ folder, contents }: Manifest): string | null {
  const { bin, name } = contents;
  if (typeof bin === 'string') return path.join(folder, bin);
  const programs = textsOf(bin);
  const own = programs[String(name).replace(/^@[^/]*\//, '')];
  const [only, ...others] = Object.values(programs);
  const chosen = own ?? (others.length === 0 ? only : undefined);
  return chosen === undefined ? null : path.join(folder, chosen);
}

export async function isFile(file: string): Promise<boolean> {
  const stats = await stat(file).catch(() => null);
  return stats?.isFile() ?? false;
}

/** The folder, its parent, and so on. */
export function upwards(folder: string): string[] {
  const parent = path.dirname(folder);
  return parent === folder ? [folder] : [folder, ...upwards(parent)];
}

/** Members of an object that are texts; nothing where it is none. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry) => typeof entry[1] === 'string'));
}
