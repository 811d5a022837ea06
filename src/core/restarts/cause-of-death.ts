/** What a worker died of, as far as its end tells: a pure function. */

export type Cause = 'exit' | 'uncaught' | 'signal' | 'heapOutOfMemory' | 'outOfMemoryKilled' | 'notStarted' | 'untold';

export interface Facts {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last it wrote to standard error. */
  readonly lastLines: readonly string[];
  /** The kernel has killed a process for want of memory about then. */
  readonly oomKilled: boolean;
  /** It was no child of this process. */
  readonly isUntold?: boolean;
}

/** Node writes it before it aborts; the native stack that follows is not among the last lines. */
const HEAP_LIMIT = /^FATAL ERROR: .*JavaScript heap out of memory/;
/** What Node's last words after an uncaught error end with, whatever was thrown and whatever the exit code is. */
const LAST_WORDS = /^Node\.js v\d+\.\d+\.\d+/;
/** Of a shell that ran node and passes on that it was ended by SIGABRT. */
const ABORTED = 128 + 6;

/** @returns the cause, and a beginning of a sentence for people */
export function causeOfDeath({ code, signal, lastLines, oomKilled, isUntold = false }: Facts): {
  readonly cause: Cause;
  readonly text: string;
} {
  if (isUntold) {
    const why = 'another supervisor had started it, and no other process is told';
    return { cause: 'untold', text: `a worker ended, nobody knows how (${why}),` };
  }
  // Neither of the two: there never was a process.
  if (code === null && signal === null) {
    return { cause: 'notStarted', text: `a worker could not be started: ${lastLines.join('\n')}` };
  }
  // The line alone may be that of a process which the worker had started, and outlived.
  if ((signal === 'SIGABRT' || code === ABORTED) && lastLines.some((line) => HEAP_LIMIT.test(line))) {
    return {
      cause: 'heapOutOfMemory',
      text: 'a worker ran out of JavaScript heap (--max-old-space-size is the limit)',
    };
  }
  if (signal === 'SIGKILL' && oomKilled) {
    return { cause: 'outOfMemoryKilled', text: 'a worker was killed by the kernel for want of memory (OOM killer)' };
  }
  if (signal !== null) return { cause: 'signal', text: `a worker was ended by ${signal}` };
  const isUncaught = code !== 0 && LAST_WORDS.test(lastLines.findLast((line) => line !== '') ?? '');
  return { cause: isUncaught ? 'uncaught' : 'exit', text: `a worker exited with code ${code}` };
}
