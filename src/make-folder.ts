import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes it with its parents, each with this mode; nothing where it is there. Node's own `recursive` does not end where the system says of a folder
 * that it neither is there nor can be made: `/proc/x`.
 *
 * @throws the system's error
 */
export function makeFolder(folder: string, mode: number): void {
  if (make(folder, mode)) return;
  makeFolder(path.dirname(folder), mode);
  if (!make(folder, mode)) throw Object.assign(new Error(`ENOENT: ${folder}`), { code: 'ENOENT' });
}

/** @returns false for want of its parent */
function make(folder: string, mode: number): boolean {
  try {
    mkdirSync(folder, { mode });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && path.dirname(folder) !== folder) return false;
    // Whatever a system says to one that is there: a root, a file system that is read only.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return true;
    throw error;
  }
}
