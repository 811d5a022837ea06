/**
 * The log files that rotation has put aside: compresses them, one at a time, and deletes those that are too many. They lie
 * beside the log file and have its name with the time behind it.
 *
 * Owned by the rotating sink. Nothing waits for it: a log line must not, however large the file is that is compressed.
 */
import { createReadStream, createWriteStream, type Stats } from 'node:fs';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Who writes to the same file notices within a second that it has been moved: see rotating-sink.ts. */
export const GRACE_MS = 2_000;
/** One that has not been written to for so long was left by a supervisor that has ended. */
const STALE_MS = 60_000;
/** With the time, the index, and whether it is compressed. */
const TIME = /^(\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z)(?:-(\d+))?(\.gz)?$/;

export interface ArchiveOptions {
  /** Of the log file. */
  readonly file: string;
  /** How many are kept. */
  readonly keep: number;
  readonly compress: boolean;
  readonly graceMs?: number;
  /** Told of what cannot be done; the next rotation tries it again. */
  readonly onTrouble: (error: unknown) => void;
}

/** @param index from 1 on; more than one in the same millisecond */
export function archiveName(file: string, time: Date, index: number): string {
  const stamp = time.toISOString().replaceAll(':', '-');
  return `${path.basename(file)}.${stamp}${index > 1 ? `-${index}` : ''}`;
}

/** Those of a log file among the names of its folder, oldest first. Pure. */
export function archivesAmong(names: readonly string[], file: string): string[] {
  const base = path.basename(file);
  const found = names.flatMap((name) => {
    const parts = name.startsWith(base) ? TIME.exec(name.slice(base.length)) : null;
    return parts === null ? [] : [{ name, time: parts[1] ?? '', index: Number(parts[2] ?? 1) }];
  });
  // By these, and not by the names: `.gz` behind the first of a millisecond would come after `-2`. Of both forms the plain one first.
  found.sort((a, b) => compare(a.time, b.time) || a.index - b.index || a.name.length - b.name.length);
  return found.map(({ name }) => name);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Absolute paths, oldest first; one that has just been compressed may be there in both forms. */
export async function listArchives(file: string): Promise<string[]> {
  const folder = path.dirname(file);
  return archivesAmong(await readdir(folder), file).map((name) => path.join(folder, name));
}

export class Archives {
  readonly #options: ArchiveOptions;
  #again = false;
  #running: Promise<void> | null = null;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  /** Never rejects; resolves when nothing is left to do. */
  tidy(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { file, compress, graceMs = GRACE_MS, onTrouble } = this.#options;
    while (this.#again) {
      this.#again = false;
      try {
        await this.#forgetOld();
        if (!compress) continue;
        const plain = (await listArchives(file)).filter((name) => !name.endsWith('.gz'));
        if (plain.length > 0) await delay(graceMs, undefined, { ref: false });
        for (const name of plain) await compressFile(name);
        await this.#forgetOld();
      } catch (error) {
        onTrouble(error);
      }
    }
  }

  async #forgetOld(): Promise<void> {
    const { file, keep } = this.#options;
    const found = await Promise.all((await listArchives(file)).map(async (name) => ({ name, is: await statOf(name) })));
    // A file of that name may be there for a moment only, until the one that is put aside takes its place.
    const empty = found.filter(({ is }) => is?.size === 0 && Date.now() - is.mtimeMs > STALE_MS);
    const full = found.filter(({ is }) => is !== null && is.size > 0);
    for (const { name } of [...empty, ...full.slice(0, Math.max(0, full.length - keep))]) await remove(name);
  }
}

/** Whole or not at all: what is there under the new name is complete, and only then the old one goes. */
async function compressFile(file: string): Promise<void> {
  const before = await statOf(file);
  // Deleted meanwhile, or not yet what it is to be.
  if (before === null || before.size === 0) return;
  const target = `${file}.gz`;
  const part = `${target}.part`;
  if ((await statOf(target)) === null) {
    const started = await statOf(part);
    if (started !== null) {
      if (Date.now() - started.mtimeMs < STALE_MS) return;
      await remove(part);
    }
    try {
      const output = createWriteStream(part, { flags: 'wx', mode: before.mode & 0o777, flush: true });
      // Not before: every start would take the longer for it.
      const { createGzip } = await import('node:zlib');
      await pipeline(createReadStream(file), createGzip(), output);
      const after = await statOf(file);
      if (after?.ino !== before.ino || after.size !== before.size) throw new Error(`${file} is still written to`);
    } catch (error) {
      await remove(part);
      // Deleted by the other supervisor that writes to the same log file.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    await rename(part, target);
  }
  await remove(file);
}

/** null where it is not there. */
async function statOf(file: string): Promise<Stats | null> {
  return stat(file).catch(() => null);
}

async function remove(file: string): Promise<void> {
  await unlink(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
