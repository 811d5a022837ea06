/**
 * The bounded queue between the log and its sink: batches lines, counts what it drops, says when to hold back.
 *
 * A slow sink fills it: from `holdBackBytes` on it is not writable, and who can wait (a worker's output) waits; at
 * `maxBytes` it drops. A failing sink (the reader is gone, the disk is full) empties it: those lines are lost and
 * counted, and nobody is held back, because a log that is broken must not stop the application.
 */
import type { Sink } from './sink.js';

/** Bound of what is buffered, in bytes. */
export const maxBytes = 1024 * 1024;
/** Above this nobody who can wait should write. The rest up to the bound is left to those who cannot. */
export const holdBackBytes = 512 * 1024;
/** Below this those who wait go on. */
const resumeBytes = 128 * 1024;
const batchBytes = 64 * 1024;

export class Outlet {
  #sink: Sink;
  readonly #onFlowing: (dropped: number) => void;
  #lines: string[] = [];
  #queuedBytes = 0;
  #inFlightBytes = 0;
  /** The sink that is writing: a replaced one is closed only after that. */
  #busy: Sink | null = null;
  #dropped = 0;
  #torn = false;
  #waiting: (() => void)[] = [];
  #flushing: (() => void)[] = [];

  /** `onFlowing` is told how many lines were dropped, once the sink takes lines again. */
  constructor(sink: Sink, onFlowing: (dropped: number) => void) {
    this.#sink = sink;
    this.#onFlowing = onFlowing;
  }

  /** Bytes that are not written yet; never more than `maxBytes`. */
  get bufferedBytes(): number {
    return this.#queuedBytes + this.#inFlightBytes;
  }

  get writable(): boolean {
    return this.bufferedBytes < holdBackBytes;
  }

  /** Takes a line with its end; drops and counts it at the bound. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.bufferedBytes + bytes > maxBytes) {
      this.#dropped += 1;
      return;
    }
    this.#lines.push(line);
    this.#queuedBytes += bytes;
    this.#pump();
  }

  /** Calls back once, when there is room again; soon, when there is room now. Those who wait take turns. */
  onceWritable(callback: () => void): void {
    this.#waiting.push(callback);
    if (this.bufferedBytes <= resumeBytes) queueMicrotask(() => this.#wake());
  }

  /** Resolves when all that was taken is written or lost, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    await this.#emptied(timeoutMs);
    this.#sink.flush?.();
  }

  #emptied(timeoutMs: number): Promise<void> {
    if (this.bufferedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#flushing.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Goes on with another sink, between two lines. The old one is closed. */
  replaceSink(sink: Sink): void {
    const old = this.#sink;
    this.#sink = sink;
    this.#torn = false;
    if (old !== this.#busy) old.close();
  }

  #pump(): void {
    if (this.#busy !== null || this.#lines.length === 0) return;
    const batch = this.#nextBatch();
    const sink = this.#sink;
    // A line that was half written must not run into the next one.
    const text = (this.#torn ? '\n' : '') + batch.join('');
    this.#busy = sink;
    sink.write(text, (error, writtenBytes) => {
      this.#busy = null;
      this.#inFlightBytes = 0;
      if (error) this.#dropped += batch.length;
      if (sink === this.#sink) this.#torn = error ? writtenBytes > 0 || this.#torn : false;
      else sink.close();
      if (!error) this.#tellDropped();
      this.#pump();
      this.#wake();
      if (this.bufferedBytes === 0) for (const done of this.#flushing.splice(0)) done();
    });
  }

  #nextBatch(): string[] {
    let count = 0;
    let bytes = 0;
    for (const line of this.#lines) {
      const lineBytes = Buffer.byteLength(line);
      if (count > 0 && bytes + lineBytes > batchBytes) break;
      count += 1;
      bytes += lineBytes;
    }
    this.#queuedBytes -= bytes;
    this.#inFlightBytes = bytes;
    return this.#lines.splice(0, count);
  }

  #tellDropped(): void {
    if (this.#dropped === 0 || this.bufferedBytes > resumeBytes) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#onFlowing(dropped);
  }

  #wake(): void {
    if (this.bufferedBytes > resumeBytes) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, callback] of waiting.entries()) {
      if (!this.writable) {
        // In front of those who have had their turn just now.
        this.#waiting.unshift(...waiting.slice(index));
        return;
      }
      callback();
    }
  }
}
