/**
 * What nobody has caught, anywhere in the supervisor: logged with its stack, and survived. The workers and their
 * connections must not pay for a fault of one request, one timer or one socket.
 */
import type { Log } from '../../logs/logger.js';

/** A fault that comes again and again must not fill the log: so many in a window are told, and the rest is counted. */
const MOST_TOLD = 10;
const WINDOW_MS = 10_000;

/** @returns takes the listeners away again */
export function surviveFaults({ logger }: Log): () => void {
  let since = Number.NEGATIVE_INFINITY;
  let count = 0;
  const told = (error: unknown, origin: string) => {
    const now = performance.now();
    if (now - since > WINDOW_MS) {
      if (count > MOST_TOLD) logger.error({ count: count - MOST_TOLD }, 'further faults in the supervisor');
      since = now;
      count = 0;
    }
    count += 1;
    // What is thrown need not be an error.
    const err = error instanceof Error ? error : new Error(String(error));
    if (count <= MOST_TOLD) logger.error({ err, origin }, 'fault in the supervisor');
  };
  const uncaught = (error: unknown) => told(error, 'uncaughtException');
  const unhandled = (reason: unknown) => told(reason, 'unhandledRejection');
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', unhandled);
  return () => {
    process.off('uncaughtException', uncaught);
    process.off('unhandledRejection', unhandled);
  };
}
