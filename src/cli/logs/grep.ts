/**
 * Picks log lines by a regular expression, here and not in the supervisor: one that never comes to an end holds up nobody but
 * its owner, and him for a second.
 */
import { createContext, Script } from 'node:vm';
import { EXIT, HoldfastError } from '../../errors.js';

/** For the lines that have come at once: a thousand of them take a millisecond. */
const LIMIT_MS = 1_000;

/**
 * @param limitMs for the lines that are given at once
 * @returns whether each of some log lines (JSON) matches, in its message or as it is written
 * @throws HoldfastError USAGE for what is no expression; what it returns throws it for one that takes too long
 */
export function grep(source: string, limitMs = LIMIT_MS): (lines: readonly string[]) => boolean[] {
  const expression = compile(source);
  const context = createContext(Object.assign(Object.create(null), { expression }));
  // In a context of its own a time limit can be set, which also ends an expression.
  const script = new Script('texts.map((pair) => pair.some((text) => expression.test(text)))');
  return (lines) => {
    context.texts = lines.map((line) => [messageOf(line), line]);
    try {
      return [...(script.runInContext(context, { timeout: limitMs }) as boolean[])];
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
      throw usage(
        `cannot search for ${JSON.stringify(source)}: it takes too long`,
        'repetitions within repetitions do: (a+)+',
      );
    }
  };
}

function compile(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    const { message } = cause as Error;
    throw usage(
      `cannot search for ${JSON.stringify(source)}: ${message}`,
      'it is a regular expression as JavaScript has them: put a \\ before what is meant as it is',
    );
  }
}

function messageOf(line: string): string {
  try {
    return String((JSON.parse(line) as { msg?: unknown }).msg ?? '');
  } catch {
    return line;
  }
}

function usage(message: string, hint: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
