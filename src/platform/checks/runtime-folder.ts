/**
 * Check of the runtime folder: whether it can be had, and whether a unix socket can listen in it. A folder that was not
 * there before is gone afterwards: one that a doctor run by root left would shut its user out.
 */
import { once } from 'node:events';
import { lstat, rmdir } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { HoldfastError } from '../../errors.js';
import { type Check, reasonOf } from './check.js';

export interface RuntimeFolderFacts {
  readonly dir: string;
  /** What stands in the way; null if nothing does. */
  readonly fault: { readonly reason: string; readonly hint: string | null } | null;
}

const CHOOSE_ANOTHER = 'set HOLDFAST_RUNTIME_DIR to a folder of your own, on a file system that knows unix sockets';

export const runtimeFolder: Check<RuntimeFolderFacts> = {
  id: 'runtimeFolder',
  title: 'runtime folder',

  async collect({ runtimeDir, ensureRuntimeDir }, signal) {
    const dir = path.resolve(runtimeDir);
    const absent = await absentFolders(dir);
    try {
      await ensureRuntimeDir(dir);
      // Not `.sock` at its end: it is no supervisor.
      await listenOnce(path.join(dir, `.doctor-${process.pid}`), signal);
      return { dir, fault: null };
    } catch (error) {
      const hint = error instanceof HoldfastError ? (error.hint ?? null) : CHOOSE_ANOTHER;
      return { dir, fault: { reason: reasonOf(error), hint } };
    } finally {
      // One that is in use by now stays, and so do those above it.
      for (const folder of absent) await rmdir(folder).catch(() => {});
    }
  },

  judge({ dir, fault }) {
    if (fault === null) {
      return {
        result: 'ok',
        found: `${dir} can be used, and a unix socket listens in it`,
        meaning: 'supervisors can be started and reached by commands',
        remedy: null,
      };
    }
    return {
      result: 'missing',
      found: fault.reason,
      meaning: 'no supervisor can start here',
      remedy: fault.hint,
    };
  },
};

/** The folder and those above it, as far as they are not there: the lowest first. */
async function absentFolders(dir: string): Promise<string[]> {
  const absent: string[] = [];
  for (let folder = dir; !(await exists(folder)); folder = path.dirname(folder)) absent.push(folder);
  return absent;
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    // Where nobody may look, nothing is made either.
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT',
  );
}

async function listenOnce(file: string, signal: AbortSignal): Promise<void> {
  const server = net.createServer();
  try {
    server.listen(file);
    await once(server, 'listening', { signal });
  } finally {
    // Removes the file, too.
    server.close();
  }
}
