/**
 * Finds the application's entry file, and says what was probably meant where it is not there.
 */
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { readTextFile, reasonFor, Unreadable } from './text-file.js';

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts'];

/**
 * The script as it can be run: its owner's spelling, with the extension that was left off.
 *
 * @param script as written
 * @param cwd absolute path that it is relative to
 * @throws Unreadable
 */
export async function findScript(script: string, cwd: string): Promise<string> {
  const file = path.resolve(cwd, script);
  if (!(await isFile(file))) {
    // As node does, a file comes before a folder of the same name.
    for (const extension of /[/\\.]$/.test(script) ? [] : EXTENSIONS) {
      if (await isFile(file + extension)) return script + extension;
    }
    const stats = await stat(file).catch(async (error: unknown) => {
      throw new Unreadable(await reasonFor(file, error), { cause: error });
    });
    if (!stats.isDirectory()) throw new Unreadable(`must be a file; ${file} is none`);
    const entry = await likelyEntry(file);
    const hint = entry === null ? '' : `; did you mean ${JSON.stringify(path.join(script, entry))}?`;
    throw new Unreadable(`must be a file; ${file} is a folder${hint}`);
  }
  await access(file, constants.R_OK).catch(async (error: unknown) => {
    throw new Unreadable(await reasonFor(file, error), { cause: error });
  });
  return script;
}

async function isFile(file: string): Promise<boolean> {
  const stats = await stat(file).catch(() => null);
  return stats?.isFile() ?? false;
}

/** The entry file of a folder, relative to it: what its package.json says, else one with a usual name. */
async function likelyEntry(folder: string): Promise<string | null> {
  const candidates = ['index', 'server', 'app', 'main'].flatMap((name) => EXTENSIONS.map((end) => name + end));
  const main = await packageMain(folder);
  if (main !== null) candidates.unshift(main, ...EXTENSIONS.map((end) => main + end));
  for (const candidate of candidates) {
    if (await isFile(path.join(folder, candidate))) return candidate;
  }
  return null;
}

async function packageMain(folder: string): Promise<string | null> {
  try {
    const manifest = JSON.parse(await readTextFile(path.join(folder, 'package.json')));
    return typeof manifest?.main === 'string' ? manifest.main : null;
  } catch {
    // No package, or a broken one: there is no fault in that, only no hint.
    return null;
  }
}
