/**
 * A log file that cannot be written must not cost log lines, and never the application: they go to standard error meanwhile,
 * and the file is tried again.
 */
import type { Sink } from './sink.js';

/** From one try to the next. */
const RETRY_MS = 5_000;

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
  let torn = false;

  return {
    write(text, done) {
      const toSpare = () => {
        spare ??= openSpare();
        spare.write(text, done);
      };
      if (retryAt !== null && performance.now() < retryAt) return toSpare();
      main.write(torn ? `\n${text}` : text, (error, isTorn) => {
        const wasBroken = retryAt !== null;
        if (error === null) {
          torn = false;
          retryAt = null;
          done(null, false);
          if (wasBroken) onTrouble(null);
          return;
        }
        torn ||= isTorn;
        retryAt = performance.now() + retryMs;
        toSpare();
        if (!wasBroken) onTrouble(error);
      });
    },
    close() {
      main.close();
      // Standard error is nobody's to close.
    },
  };
}
