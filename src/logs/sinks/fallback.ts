/**
 * A log file that cannot be written must not cost log lines, and never the application: they go to standard error meanwhile,
 * and the file is tried again.
 */
import type { Sink } from './sink.js';

/** From one try to the next. */
const RETRY_MS = 5_000;
const NEWLINE = 0x0a;

export interface FallbackOptions {
  readonly main: Sink;
  /** Made when it is needed. Its errors are the caller's. */
  readonly openSpare: () => Sink;
  /** Told once of what is wrong, and with null when all is well again. */
  readonly onTrouble: (error: Error | null) => void;
  readonly retryMs?: number;
}

/** A sink on a file, and its way out. */
export function withFallback(options: FallbackOptions): Sink {
  const { main, openSpare, onTrouble, retryMs = RETRY_MS } = options;
  let spare: Sink | null = null;
  /** When the file is tried again; null while it can be written. */
  let retryAt: number | null = null;
  /** The last line of the file is not whole: what follows must not run into it. */
  let torn = false;

  return {
    write(text, done) {
      const toSpare = (rest: string) => {
        spare ??= openSpare();
        spare.write(rest, done);
      };
      if (retryAt !== null && performance.now() < retryAt) return toSpare(text);
      const wanted = torn ? `\n${text}` : text;
      main.write(wanted, (error, writtenBytes) => {
        const wasBroken = retryAt !== null;
        if (error === null) {
          torn = false;
          retryAt = null;
          done(null, 0);
          if (wasBroken) onTrouble(null);
          return;
        }
        retryAt = performance.now() + retryMs;
        // Whole lines that are in the file are not told twice.
        const bytes = Buffer.from(wanted);
        const begun = writtenBytes > 0;
        const skip = begun ? bytes.lastIndexOf(NEWLINE, writtenBytes - 1) + 1 : wanted.length - text.length;
        if (begun) torn = skip < writtenBytes;
        toSpare(bytes.toString('utf8', skip));
        if (!wasBroken) onTrouble(error);
      });
    },
    close() {
      main.close();
      // Standard error is nobody's to close.
    },
  };
}
