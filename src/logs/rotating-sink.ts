/**
 * A log file that is put aside when it is large or old, and opened anew.
 *
 * The library moves and opens; what is put aside is compressed and deleted by `Archives`. What the library does not do is done
 * here: to open the file anew when it is told to or somebody else has moved it, to go on where it fails, and to know what has
 * been written when it does.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RotatingFileStream } from 'rotating-file-stream';
import { type ArchiveOptions, Archives, archiveName } from './archives.js';
import { openFileSink, type Sink, type WriteDone } from './sink.js';

export interface Rotation {
  /** 0: not by size. */
  readonly maxBytes: number;
  /** 0: not by age. See `intervalOf`. */
  readonly maxAgeMs: number;
  readonly keep: number;
  readonly compress: boolean;
  readonly graceMs?: number;
}

export interface RotatingSink extends Sink {
  /** The next line goes to what has the file's name then. */
  reopen(): void;
}

type Options = Omit<ArchiveOptions, 'compress' | 'keep'> & Rotation;

const FILE_MODE = 0o640;
const LOOK_MS = 1_000;
/** Where it cannot be put aside, it is only written to for so long. */
const PLAIN_MS = 60_000;
const DAY_MS = 86_400_000;
/** More than the first line's time needs. */
const HEAD_BYTES = 512;

/**
 * An age as the library takes it: a part of a minute, of an hour or of a day, or days. null for any other.
 */
export function intervalOf(ms: number): string | null {
  if (ms > 0 && ms % DAY_MS === 0) return `${ms / DAY_MS}d`;
  const units = [
    ['h', 3_600_000, 24],
    ['m', 60_000, 60],
    ['s', 1_000, 60],
  ] as const;
  const [unit, unitMs] =
    units.find(([, unitMs, most]) => ms >= unitMs && (unitMs * most) % ms === 0 && ms % unitMs === 0) ?? [];
  return unit === undefined ? null : `${ms / unitMs}${unit}`;
}

/** @param options `file` is absolute, and a regular file that can be written */
export function rotatingSink(options: Options): RotatingSink {
  const { file, maxBytes, maxAgeMs, onTrouble } = options;
  const archives = new Archives(options);
  let stream: RotatingFileStream | null = null;
  /** In place of the stream, where that cannot do its work. */
  let plain: { readonly sink: Sink; readonly until: number } | null = null;
  let reopenAsked = false;
  let inode: bigint | null = null;
  let lookedAt = 0;
  let rotations = 0;
  /** The last line of the file is not whole: what follows must not run into it. */
  let torn = false;
  /** One write at a time, and none while the file is opened anew. */
  let last: Promise<void> = Promise.resolve();

  async function open(): Promise<RotatingFileStream> {
    await putAsideIfOld();
    const { createStream } = await import('rotating-file-stream');
    const interval = intervalOf(maxAgeMs);
    const name = path.basename(file);
    const opened = createStream((time, index) => (time ? archiveName(file, new Date(time), index ?? 1) : name), {
      path: path.dirname(file),
      mode: FILE_MODE,
      ...(maxBytes > 0 && { size: `${maxBytes}B` }),
      ...(interval !== null && { interval }),
    });
    opened.on('rotation', () => {
      rotations += 1;
    });
    opened.on('rotated', () => void archives.tidy());
    opened.on('warning', onTrouble);
    opened.on('open', () => void remember());
    await new Promise<void>((resolve, reject) => {
      opened.once('open', () => resolve());
      opened.on('error', reject);
    });
    void archives.tidy();
    return opened;
  }

  async function remember(): Promise<void> {
    lookedAt = performance.now();
    inode = await inodeOf(file);
  }

  /** While the supervisor did not run, or was told to open it anew, nobody has looked how old it is. */
  async function putAsideIfOld(): Promise<void> {
    const since = maxAgeMs === 0 ? null : firstTimeIn(file);
    if (since === null || Date.now() - since < maxAgeMs) return;
    await rename(file, path.join(path.dirname(file), archiveName(file, new Date(), 1)));
  }

  async function end(): Promise<void> {
    plain?.sink.close();
    plain = null;
    const ending = stream;
    stream = null;
    if (ending === null || ending.closed) return;
    await new Promise<void>((resolve) => {
      ending.once('close', resolve);
      ending.end();
    });
  }

  async function isMoved(): Promise<boolean> {
    const now = performance.now();
    if (stream === null || inode === null || now - lookedAt < LOOK_MS) return false;
    lookedAt = now;
    return (await inodeOf(file)) !== inode;
  }

  /** @returns the error of a rotation that failed after the text had been written */
  async function writeTo(target: RotatingFileStream, text: string): Promise<Error | null> {
    const before = rotations;
    return new Promise((resolve, reject) => {
      target.write(text, (error) => {
        if (!error) resolve(null);
        else if (rotations > before) resolve(error);
        else reject(error);
      });
    });
  }

  async function write(text: string): Promise<void> {
    if (reopenAsked || (plain !== null && plain.until <= performance.now()) || (await isMoved())) {
      reopenAsked = false;
      await end();
    }
    if (plain === null && (await writeRotating(text))) return;
    await writePlain(text);
  }

  /** @returns false where it cannot: nothing of the text has been written, or not all */
  async function writeRotating(text: string): Promise<boolean> {
    for (const isLastTry of [false, true]) {
      try {
        stream ??= await open();
        const trouble = await writeTo(stream, text);
        if (trouble === null) return true;
        if (isGone(trouble)) stream = null;
        else goPlain(trouble);
        return true;
      } catch (error) {
        stream = null;
        // That it cannot be put aside is no reason to lose a line.
        if (isLastTry || !isGone(error)) {
          goPlain(error);
          return false;
        }
      }
    }
    return false;
  }

  function goPlain(error: unknown): void {
    stream = null;
    plain = { sink: openFileSink(file), until: performance.now() + PLAIN_MS };
    torn = endsWithin(file);
    onTrouble(error);
  }

  function writePlain(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      plain?.sink.write(torn && text !== '' ? `\n${text}` : text, (error, isTorn) => {
        torn = error === null ? torn && text === '' : torn || isTorn;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  function next(text: string): Promise<void> {
    const written = last.then(() => write(text));
    last = written.catch(() => {});
    return written;
  }

  return {
    write(text, done: WriteDone) {
      next(text).then(
        () => done(null, false),
        (error: Error) => done(error, false),
      );
    },
    reopen() {
      reopenAsked = true;
      // Who has moved it wants the new one to be there, with or without a line to come.
      next('').catch(onTrouble);
    },
    close() {
      void last.then(end);
    },
  };
}

/** What was to be put aside had been moved by somebody else already: it only has to be opened anew. */
function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** null where it is not there. */
async function inodeOf(file: string): Promise<bigint | null> {
  return stat(file, { bigint: true }).then(
    ({ ino }) => ino,
    () => null,
  );
}

/** When the first line of a log file was written; null for an empty file, and for what is no log of ours. */
function firstTimeIn(file: string): number | null {
  const time = /"time":"([^"]{1,40})"/.exec(readAt(file, 0, HEAD_BYTES));
  const ms = Date.parse(time?.[1] ?? '');
  return Number.isNaN(ms) ? null : ms;
}

/** Whether the last line of a file is not whole: what follows would run into it. */
function endsWithin(file: string): boolean {
  const last = readAt(file, -1, 1);
  return last !== '' && last !== '\n';
}

/** @param from counted from the end where it is negative; '' for what cannot be read */
function readAt(file: string, from: number, bytes: number): string {
  let fd: number | null = null;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(bytes);
    const at = from < 0 ? fstatSync(fd).size + from : from;
    return at < 0 ? '' : buffer.toString('utf8', 0, readSync(fd, buffer, 0, bytes, at));
  } catch {
    return '';
  } finally {
    if (fd !== null) closeSync(fd);
  }
}
