/**
 * Where the next supervisor listens, as an orphan goes there. It hands its sockets over to whoever listens, so that must be its own
 * user or root: a folder of temporary files may have been cleaned away, and made anew by somebody else.
 */
import fs from 'node:fs';
import path from 'node:path';

const OTHERS_MAY_WRITE = 0o022;

export interface AttachPlace {
  readonly path: string;
  /** Once it has been connected to. */
  close(): void;
}

/**
 * What tells one socket there from the next; null where there is none. An attempt costs a hundred times as much.
 *
 * @returns undefined where that cannot be seen. Never throws
 */
export function socketMark({ path: file }: Pick<AttachPlace, 'path'>): string | null | undefined {
  try {
    const stats = fs.statSync(file, { throwIfNoEntry: false });
    return stats === undefined ? null : `${stats.dev} ${stats.ino} ${stats.ctimeMs}`;
  } catch {
    return undefined;
  }
}

/** @returns null where there is no such folder, or others could listen in it. Never throws */
export function openPlace(file: string): AttachPlace | null {
  const plain = { path: file, close: () => {} };
  let fd: number;
  try {
    fd = fs.openSync(path.dirname(file), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  } catch (error) {
    // Node's permissions keep it from looking, not from connecting.
    return (error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED' ? plain : null;
  }
  const close = () => fs.closeSync(fd);
  try {
    const { uid, mode } = fs.fstatSync(fd);
    if ((uid !== process.geteuid?.() && uid !== 0) || (mode & OTHERS_MAY_WRITE) !== 0) {
      close();
      return null;
    }
    // That very folder, whatever is renamed meanwhile.
    const there = `/proc/self/fd/${fd}`;
    if (fs.existsSync(there)) return { path: `${there}/${path.basename(file)}`, close };
  } catch {
    // Without proc(5).
  }
  close();
  return plain;
}
