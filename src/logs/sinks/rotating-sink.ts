/**
 * A log file that is put aside when it is large or old, and opened anew.
 *
 * The library moves and opens; what is put aside is compressed and deleted by `Archives`. What the library does not do is done
 * here: to open the file anew when it is told to or somebody else has moved it, to go on where it fails, and to know what has
 * been written when it does.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RotatingFileStream } from 'rotating-file-stream';
import type { ArchiveOptions, Archives } from './archives.js';
import { type DescriptorSink, openFileSink, type Sink } from './sink.js';

export interface Rotation {
  /** 0: not by size. */
  readonly maxBytes: number;
  /** 0: not by age. See `intervalOf`. */
  readonly maxAgeMs: number;
  readonly keep: number;
  readonly compress: boolean;
  readonly graceMs?: number;
  /** How often it is looked whether somebody else has moved or emptied the file. */
  readonly lookMs?: number;
}

export interface RotatingSink extends Sink {
  /** The next line goes to what has the file's name then. */
  reopen(): void;
}

type Options = Omit<ArchiveOptions, 'compress' | 'keep'> &
  Rotation & {
    /** Of a new file: that of the one before. */
    readonly mode: number;
  };

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

/** @param options `file` is absolute, and a regular file that can be written, not by way of a link */
export function rotatingSink(options: Options): RotatingSink {
  const { file, mode, maxBytes, maxAgeMs, lookMs = LOOK_MS, onTrouble } = options;
  /** Loaded with the first line: most supervisors have no log file. */
  let archives: Archives | null = null;
  let stream: RotatingFileStream | null = null;
  /** In place of the stream, where that cannot do its work. */
  let plain: { readonly sink: DescriptorSink; readonly until: number } | null = null;
  let reopenAsked = false;
  let inode: bigint | null = null;
  let lookedAt = 0;
  let sizeBytes = 0;
  /** Of the text that is under way. */
  let writtenBytes = 0;
  /** One write at a time, and none while the file is opened anew. */
  let last: Promise<unknown> = Promise.resolve();

  async function open(): Promise<RotatingFileStream> {
    const { Archives, archiveName } = await import('./archives.js');
    archives ??= new Archives(options);
    const tidy = () => void archives?.tidy();
    await putAsideIfOld(archiveName);
    const { createStream } = await import('rotating-file-stream');
    const interval = intervalOf(maxAgeMs);
    const name = path.basename(file);
    const opened = createStream((time, index) => (time ? archiveName(file, new Date(time), index ?? 1) : name), {
      path: path.dirname(file),
      mode,
      ...(maxBytes > 0 && { size: `${maxBytes}B` }),
      ...(interval !== null && { interval }),
    });
    opened.on('rotated', tidy);
    opened.on('warning', onTrouble);
    opened.on('open', () => {
      writeWhole(opened, (bytes) => {
        writtenBytes += bytes;
      });
      void look();
    });
    await new Promise<void>((resolve, reject) => {
      opened.once('open', () => resolve());
      opened.on('error', reject);
    });
    tidy();
    return opened;
  }

  async function look(): Promise<void> {
    lookedAt = performance.now();
    const found = await stat(file, { bigint: true }).catch(() => null);
    inode = found?.ino ?? null;
    sizeBytes = Number(found?.size ?? 0);
  }

  /** While the supervisor did not run, or was told to open it anew, nobody has looked how old it is. */
  async function putAsideIfOld(nameOf: (file: string, time: Date, index: number) => string): Promise<void> {
    const since = maxAgeMs === 0 ? null : firstTimeIn(file);
    if (since === null || Date.now() - since < maxAgeMs) return;
    await rename(file, path.join(path.dirname(file), nameOf(file, new Date(), 1)));
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

  /** Moved away by somebody else, or emptied, as logrotate does by `copytruncate`: its size is counted anew then. */
  async function isChanged(): Promise<boolean> {
    if (stream === null || inode === null || performance.now() - lookedAt < lookMs) return false;
    const before = { inode, sizeBytes };
    await look();
    return inode !== before.inode || sizeBytes < before.sizeBytes;
  }

  async function write(text: string): Promise<void> {
    writtenBytes = 0;
    if (reopenAsked || (plain !== null && plain.until <= performance.now()) || (await isChanged())) {
      reopenAsked = false;
      await end();
    }
    const bytes = Buffer.from(text);
    if (plain === null) await writeRotating(bytes);
    if (plain !== null && writtenBytes < bytes.length) await writePlain(plain.sink, bytes.subarray(writtenBytes));
  }

  /** Goes plain where it cannot, or not all of it. */
  async function writeRotating(bytes: Buffer): Promise<void> {
    for (const isLastTry of [false, true]) {
      try {
        stream ??= await open();
        const target = stream;
        await new Promise<void>((resolve, reject) => {
          target.write(bytes, (error) => (error ? reject(error) : resolve()));
        });
        return;
      } catch (error) {
        stream = null;
        const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
        if (isGone && writtenBytes === 0 && !isLastTry) continue;
        // What was to be put aside after it had been moved by somebody else already: it only has to be opened anew.
        if (isGone && writtenBytes > 0 && writtenBytes === bytes.length) return;
        // That it cannot be put aside is no reason to lose a line.
        return goPlain(error);
      }
    }
  }

  function goPlain(error: unknown): void {
    stream = null;
    plain = { sink: openFileSink(file), until: performance.now() + PLAIN_MS };
    onTrouble(error);
  }

  function writePlain(sink: DescriptorSink, rest: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      sink.write(rest, (error, bytes) => {
        writtenBytes += bytes;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  function next(text: string): Promise<{ error: Error | null; writtenBytes: number }> {
    const done = last
      .then(() => write(text))
      .then(
        () => ({ error: null, writtenBytes: 0 }),
        (error: Error) => ({ error, writtenBytes }),
      );
    last = done;
    return done;
  }

  return {
    write(text, done) {
      void next(text).then(({ error, writtenBytes }) => done(error, writtenBytes));
    },
    reopen() {
      reopenAsked = true;
      // Who has moved it wants the new one to be there, with or without a line to come.
      void next('').then(({ error }) => error && onTrouble(error));
    },
    close() {
      void last.then(end);
    },
  };
}

/**
 * The library takes a short write for a whole one, and what is left of it would be lost without an error: write(2) writes what
 * there is room for where the disk is about to be full.
 *
 * @param stream that has just opened its file
 * @param onWritten told of the bytes that are written, also where an error follows
 */
function writeWhole(stream: RotatingFileStream, onWritten: (bytes: number) => void): void {
  const { file } = stream as unknown as {
    file: { write(bytes: Buffer, at?: number): Promise<{ bytesWritten: number }> };
  };
  const write = file.write.bind(file);
  file.write = async (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await write(bytes, at);
      at += bytesWritten;
      onWritten(bytesWritten);
    }
    return { bytesWritten: bytes.length };
  };
}

/** When the first line of a log file was written; null where that cannot be read, and for what is no log of ours. */
function firstTimeIn(file: string): number | null {
  let fd: number | null = null;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const head = Buffer.alloc(HEAD_BYTES);
    const time = /"time":"([^"]{1,40})"/.exec(head.toString('utf8', 0, readSync(fd, head, 0, HEAD_BYTES, 0)));
    const ms = Date.parse(time?.[1] ?? '');
    return Number.isNaN(ms) ? null : ms;
  } catch {
    return null;
  } finally {
    if (fd !== null) closeSync(fd);
  }
}
