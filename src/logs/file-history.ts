/**
 * Log lines out of the log file and of those that were put aside before it: what the supervisor itself remembers no more. For
 * the command line, which may wait for a disk.
 */
import { closeSync, createReadStream, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { listArchives } from './sinks/archives.js';

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
/** Between putting a file aside and making the next one there is none of its name: no longer than this, however busy the machine is. */
const MOMENT_MS = 1_000;
const POLL_MS = 5;

export interface Wanted {
  readonly count: number;
  /** Whether each of some lines is wanted; asked from the newest to the oldest. */
  readonly fits: (lines: readonly string[]) => readonly boolean[];
  /** A file whose last line is older is not read any further, and none before it; `null` for no such time. */
  readonly sinceMs: number | null;
}

/**
 * The last lines that fit, oldest first.
 *
 * @throws the system's error where the log file itself cannot be read; what was put aside may be gone meanwhile
 */
export async function linesFromFiles(file: string, { count, fits, sinceMs }: Wanted): Promise<string[]> {
  const found: string[] = [];
  /** @returns whether it goes on */
  const take = (lines: readonly string[]): boolean => {
    const wanted = fits(lines);
    for (const [index, line] of lines.entries()) if (wanted[index] && found.length < count) found.push(line);
    const oldest = lines.at(-1);
    return found.length < count && !(oldest !== undefined && sinceMs !== null && isOlder(oldest, sinceMs));
  };
  // Opened before the others are listed: if it is put aside meanwhile, it is the same file still.
  const { fd, place } = await open(file);
  try {
    const { ino } = fstatSync(fd);
    const listed = await listArchives(place);
    const archives = listed.filter((name) => !listed.includes(`${name}.gz`)).reverse();
    // Those from it on are the file itself, and what is newer.
    const itself = archives.findIndex((name) => statSync(name, { throwIfNoEntry: false })?.ino === ino);
    let goesOn = count > 0 && readBackwards(fd, take);
    for (const archive of archives.slice(itself + 1)) {
      if (!goesOn) break;
      goesOn = (await readArchive(archive, take)) ?? true;
    }
  } finally {
    closeSync(fd);
  }
  return found.reverse();
}

/** @returns also where it lies, which a link may only name */
async function open(file: string): Promise<{ readonly fd: number; readonly place: string }> {
  const until = performance.now() + MOMENT_MS;
  for (;;) {
    try {
      const place = realpathSync(file);
      return { fd: openSync(place, 'r'), place };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || performance.now() >= until) throw error;
      await delay(POLL_MS);
    }
  }
}

/**
 * Which of the lines of a file stand before those that a supervisor remembers. Pure.
 *
 * @param remembered the newest, in order; the file may not have the last of them yet, or have newer ones
 */
export function linesBefore(inFile: readonly string[], remembered: readonly string[]): readonly string[] {
  const at = inFile.findIndex((_line, start) => {
    const length = Math.min(inFile.length - start, remembered.length);
    for (let n = 0; n < length; n += 1) if (inFile[start + n] !== remembered[n]) return false;
    return length > 0;
  });
  return at === -1 ? inFile : inFile.slice(0, at);
}

/** @returns null where it cannot be read, else whether `take` wants more */
async function readArchive(archive: string, take: (lines: readonly string[]) => boolean): Promise<boolean | null> {
  try {
    if (archive.endsWith('.gz')) return take((await gunzippedLines(archive)).reverse());
    const fd = openSync(archive, 'r');
    try {
      return readBackwards(fd, take);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // Compressed since it was listed.
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT' && !archive.endsWith('.gz');
    // Else deleted, somebody else's, or no file of gzip.
    return isGone ? readArchive(`${archive}.gz`, take) : null;
  }
}

async function gunzippedLines(file: string): Promise<string[]> {
  const lines: string[] = [];
  let rest = '';
  await pipeline(createReadStream(file), createGunzip().setEncoding('utf8'), async (pieces: AsyncIterable<string>) => {
    for await (const piece of pieces) {
      const whole = (rest + piece).split('\n');
      rest = whole.pop() ?? '';
      for (const line of whole) lines.push(line);
    }
  });
  if (rest !== '') lines.push(rest);
  return lines;
}

/** Gives its lines from the last to the first, some at a time. @returns whether `take` wants more */
function readBackwards(fd: number, take: (lines: readonly string[]) => boolean): boolean {
  let end = fstatSync(fd).size;
  let rest: Buffer = Buffer.alloc(0);
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - start);
    const read = readSync(fd, chunk, 0, chunk.length, start);
    const bytes = Buffer.concat([chunk.subarray(0, read), rest]);
    const first = start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
    end = start;
    if (first === 0 && start > 0) {
      rest = bytes;
      continue;
    }
    rest = bytes.subarray(0, first);
    const lines = bytes.toString('utf8', first).split('\n').reverse();
    if (!take(lines.filter((line) => line !== ''))) return false;
  }
  return true;
}

function isOlder(line: string, sinceMs: number): boolean {
  try {
    return Date.parse(String((JSON.parse(line) as { time?: unknown }).time)) < sinceMs;
  } catch {
    return false;
  }
}
