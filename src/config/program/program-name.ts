/** What a supervisor is called whose owner has named a program and no name. */
import path from 'node:path';
import { defaultName } from './default-name.js';

/**
 * A script that only a package names, or that is installed, says less than the application's own folder.
 *
 * @param word the last one that was looked at, without its folder
 */
export function programName(
  file: string,
  { cwd, word, isOfPackage }: { readonly cwd: string; readonly word: string; readonly isOfPackage: boolean },
): string {
  const isInstalled = file.includes(`${path.sep}node_modules${path.sep}`);
  if (!isInstalled && !isOfPackage) return defaultName(file);
  const ofFolder = defaultName(path.join(cwd, 'index.js'));
  if (ofFolder !== 'index') return ofFolder;
  return defaultName(isInstalled ? path.join(path.sep, word) : file);
}
