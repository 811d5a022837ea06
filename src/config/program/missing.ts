/** What to tell about a word that is neither a file, a folder, nor anything that is installed. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { didYouMean } from '../../nearest.js';
import { reasonFor } from '../text/text-file.js';
import { installedNames } from './package/installed.js';
import { isFile, likelyEntry, nearestManifest } from './package/manifest.js';

export const GONE = Object.assign(new Error('there is none'), { code: 'ENOENT' });

interface Looked {
  readonly cwd: string;
  /** Whether it may be the name of something installed. */
  readonly isName: boolean;
  readonly mayBePath: boolean;
}

/** The phrase for a word that leads nowhere. @param looked where it was looked for, and as what */
export async function whyMissing(word: string, { cwd, isName, mayBePath }: Looked): Promise<string> {
  const file = path.resolve(cwd, word);
  const stats = await stat(file).catch(() => null);
  if (stats?.isDirectory() && mayBePath) {
    const entry = await likelyEntry(file);
    const hint = entry === null ? '' : `; did you mean ${JSON.stringify(path.join(word, entry))}?`;
    return `must be a file; ${file} is a folder without an entry in its package.json${hint}`;
  }
  if (stats !== null && mayBePath) return `must be a file; ${file} is not`;
  const nowhere = await reasonFor(file, GONE);
  const hint = isName ? didYouMean(word, await installedNames(cwd)) : '';
  if (!isName || /\.[mc]?[jt]s$/.test(word) || (hint === '' && nowhere.endsWith('?'))) return nowhere;
  const folder = (await nearestManifest(cwd))?.folder ?? cwd;
  if (await isFile(path.join(folder, '.pnp.cjs'))) {
    return `must be a file; with Plug'n'Play, ${word} is inside an archive: yarn unplug ${word}, and name its file`;
  }
  return `must be an existing file, or a program that is installed; there is no ${word} in ${cwd}${hint}`;
}
