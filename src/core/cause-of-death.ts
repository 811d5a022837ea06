/** What a worker died of, as far as its end tells: a pure function. */

export type Cause = 'exit' | 'uncaught' | 'signal' | 'heapOutOfMemory' | 'outOfMemoryKilled' | 'notStarted';

export interface Facts {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last it wrote to standard error. */
  readonly lastLines: readonly string[];
  /** The kernel has killed a process for want of memory about then. */
  readonly oomKilled: boolean;
}

/** V8 writes it before it aborts. */
const HEAP_LIMIT = /FATAL ERROR: .*heap out of memory/i;
/** The first line of an uncaught error, as Node prints it after the place: `TypeError: x is not a function`. */
const UNCAUGHT = /^(?:Uncaught )?((?:[A-Z]\w*)?Error(?: \[\w+\])?(?:: .*)?)$/;
const STACK_LINE = /^ {4}at /;

/** @returns the cause, and a beginning of a sentence for people */
export function causeOfDeath({ code, signal, lastLines, oomKilled }: Facts): {
  readonly cause: Cause;
  readonly text: string;
} {
  // Neither of the two: there never was a process.
  if (code === null && signal === null) {
    return { cause: 'notStarted', text: `a worker could not be started: ${lastLines.join('\n')}` };
  }
  if (lastLines.some((line) => HEAP_LIMIT.test(line))) {
    return {
      cause: 'heapOutOfMemory',
      text: 'a worker ran out of JavaScript heap (--max-old-space-size is the limit)',
    };
  }
  if (signal === 'SIGKILL' && oomKilled) {
    return { cause: 'outOfMemoryKilled', text: 'a worker was killed by the kernel for want of memory (OOM killer)' };
  }
  if (signal !== null) return { cause: 'signal', text: `a worker was ended by ${signal}` };
  return { cause: isUncaught(code, lastLines) ? 'uncaught' : 'exit', text: `a worker exited with code ${code}` };
}

/** Node exits with 1 after an uncaught error, whose stack is then the last that was written. */
function isUncaught(code: number | null, lastLines: readonly string[]): boolean {
  return code === 1 && lastLines.some((line, at) => UNCAUGHT.test(line) && STACK_LINE.test(lastLines[at + 1] ?? ''));
}
