/**
 * Several streams into one descriptor of this process. Who does not read holds the supervisors' logs up, as it would without a parent; who
 * has gone, or a disk that is full, holds up nobody.
 */
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { Outlet } from '../../logs/sinks/outlet.js';
import { type Sink, sinkFor } from '../../logs/sinks/sink.js';
import { terminalText } from '../../terminal-text.js';
import type { Labels } from './labels.js';

const FLUSH_MS = 1_000;

export class Gathered {
  readonly #outlet: Outlet;
  readonly #isTerminal: boolean;

  constructor(fd: number) {
    this.#isTerminal = isatty(fd);
    this.#outlet = new Outlet(openSink(fd), (dropped) => this.write(`holdfast: ${dropped} pieces of output dropped\n`));
  }

  write(text: string): void {
    this.#outlet.write(this.#isTerminal ? terminalText(text) : text);
  }

  /** Resolves when all of the stream has been taken. */
  take(from: Readable | null, labels: Labels): Promise<void> {
    return new Promise((resolve) => {
      if (from === null) return resolve();
      labels.setEncoding('utf8').on('data', (text: string) => {
        this.write(text);
        if (this.#outlet.writable) return;
        labels.pause();
        this.#outlet.onceWritable(() => labels.resume());
      });
      labels.once('end', resolve);
      from.once('error', () => labels.end()).pipe(labels);
    });
  }

  flush(): Promise<void> {
    return this.#outlet.flush(FLUSH_MS);
  }
}

/** A descriptor that was closed before the start takes nothing. */
function openSink(fd: number): Sink {
  try {
    return sinkFor(fd);
  } catch {
    return { write: (_text, done) => queueMicrotask(() => done(null, 0)), close() {} };
  }
}
