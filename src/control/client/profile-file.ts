/** A profile of a live worker in a file: the asker's half of it. */
import { copyFile, open, rm } from 'node:fs/promises';
import { HoldfastError } from '../../errors.js';
import type { ProfileOptions } from '../../protocol/control.js';
import type { Connection, ProgressLine, ResultLine } from './client.js';

/**
 * Whatever goes wrong, and where the signal ends the waiting, no file is left.
 *
 * @param wanted `file` is absolute, and must not be there yet
 * @throws HoldfastError PROFILE_UNWRITABLE; as `Connection.perform`
 */
export async function profileInto(
  connection: Connection,
  wanted: Omit<ProfileOptions, 'id'>,
  onProgress: (line: ProgressLine) => void,
  signal?: AbortSignal,
): Promise<ResultLine> {
  const { file } = wanted;
  const id = await makeFile(file);
  let written = false;
  try {
    const result = await connection.perform({ profile: { ...wanted, id } }, onProgress, signal);
    // The worker may not write to the file, or sees another file system: then it has written to the runtime folder.
    if (result.ok && result.file !== undefined) {
      await copyFile(result.file, file);
      await rm(result.file, { force: true });
    }
    written = result.ok;
    return result;
  } finally {
    if (!written) await rm(file, { force: true });
  }
}

/** For its owner alone: a snapshot has every secret of the application in it. @returns by what it is known again */
async function makeFile(file: string): Promise<string> {
  try {
    const made = await open(file, 'wx', 0o600);
    const { dev, ino } = await made.stat({ bigint: true });
    await made.close();
    return `${dev} ${ino}`;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('PROFILE_UNWRITABLE', `cannot write the profile ${file}: ${code}`, {
      hint: `${code === 'EEXIST' ? 'it is there already: ' : ''}give another file, on the command line with --output FILE`,
      cause,
    });
  }
}
