/** Orphans that a supervisor has started, and no programs of others that only look like it. */
import { readFileSync } from 'node:fs';
import { attachPath, type FoundOrphan, findOrphans, type ProcessMark, statePath } from './orphans.js';
import { readSnapshot } from './snapshot.js';

/**
 * What the folder's owner has started is; of others only what the supervisor before has written down: applications may become
 * another user. Pure.
 */
export function onlyOwn(found: readonly FoundOrphan[], workers: readonly ProcessMark[]): readonly FoundOrphan[] {
  return found.filter(
    ({ isForeign, pid, startedAt }) =>
      !isForeign || workers.some((known) => known.pid === pid && known.startedAt === startedAt),
  );
}

/** Of the supervisor of that name, where none runs. */
export function ownOrphans(runtimeDir: string, name: string): readonly FoundOrphan[] {
  const found = findOrphans(attachPath(runtimeDir, name));
  return found.some(({ isForeign }) => isForeign) ? onlyOwn(found, workersIn(statePath(runtimeDir, name))) : found;
}

function workersIn(file: string): readonly ProcessMark[] {
  try {
    const read = readSnapshot(readFileSync(file, 'utf8'));
    return read.ok ? read.snapshot.workers : [];
  } catch {
    return [];
  }
}
