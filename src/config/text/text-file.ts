/**
 * Reads the small text files a configuration is made of, and tells in a phrase why one cannot be read.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { didYouMean } from '../../nearest.js';

/** Larger files are refused: nobody writes such a configuration, and a log file is easily named by mistake. */
export const MAX_FILE_BYTES = 1024 ** 2;

/** Thrown by whatever reads a part of the configuration; the message is a phrase for a fault. */
export class Unreadable extends Error {}

/**
 * Refuses what must not be opened: folders, devices, pipes (which would wait for somebody to write), large files.
 *
 * @throws Unreadable
 */
export async function checkFile(file: string): Promise<void> {
  const stats = await stat(file).catch(async (error: unknown) => {
    throw new Unreadable(await reasonFor(file, error), { cause: error });
  });
  if (stats.isDirectory()) throw new Unreadable(`must be a file; ${file} is a folder`);
  if (!stats.isFile()) throw new Unreadable(`must be a regular file; ${file} is not`);
  if (stats.size > MAX_FILE_BYTES) throw new Unreadable(`must be a file of at most 1 MiB; ${file} is larger`);
}

/**
 * @returns the text, without a byte order mark
 * @throws Unreadable
 */
export async function readTextFile(file: string): Promise<string> {
  await checkFile(file);
  const text = await readFile(file, 'utf8').catch(async (error: unknown) => {
    throw new Unreadable(await reasonFor(file, error), { cause: error });
  });
  return text.replace(/^\uFEFF/, '');
}

/** The phrase for what the system does not give, with the name of something nearby that may be meant. */
export async function reasonFor(wanted: string, error: unknown, kind: 'file' | 'folder' = 'file'): Promise<string> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return `must be a readable ${kind}; ${wanted}: ${code}`;
  const siblings = await readdir(path.dirname(wanted)).catch(() => null);
  if (siblings === null) return `must be an existing ${kind}; there is no folder ${path.dirname(wanted)}`;
  return `must be an existing ${kind}; there is no ${wanted}${didYouMean(path.basename(wanted), siblings.sort())}`;
}
