/**
 * A name by which a unix socket is bound and reached. The address of one has room for 107 bytes (unix(7)); a longer path, as of a
 * program in a deep folder that listens on `app.sock`, is named through a descriptor of its folder.
 */
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** `sizeof(sun_path)` of Linux, with its end. */
const PATH_BYTES = 108;
const DESCRIPTORS = '/proc/self/fd';
const { O_RDONLY, O_DIRECTORY } = constants;

export interface ShortPath {
  readonly name: string;
  /** The name is good for nothing afterwards: libuv, which removes what it has bound, must have closed the socket. */
  close(): void;
}

/** @returns undefined where the path is too long, and there is no other name */
export function shortPath(path: string): ShortPath | undefined {
  if (Buffer.byteLength(path) < PATH_BYTES) return { name: path, close: () => {} };
  if (path.startsWith('\0') || !existsSync(DESCRIPTORS)) return undefined;
  let folder: number;
  try {
    folder = openSync(dirname(path), O_RDONLY | O_DIRECTORY);
  } catch {
    return undefined;
  }
  const name = `${DESCRIPTORS}/${folder}/${basename(path)}`;
  const close = () => closeSync(folder);
  if (Buffer.byteLength(name) < PATH_BYTES) return { name, close };
  close();
  return undefined;
}
