/** Errors, as people read them. */
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';

export interface ErrorReport {
  readonly text: string;
  readonly exitCode: ExitCode;
}

/**
 * What to print for an error: its message and the next step; a stack only for what nobody expected.
 */
export function describeError(error: unknown): ErrorReport {
  if (error instanceof HoldfastError) {
    return { text: errorText(error.message, error.hint), exitCode: error.exitCode };
  }
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && error.stack !== undefined ? `${indent(error.stack)}\n` : '';
  return {
    text: `holdfast: ${message}\n  this is a bug in holdfast: please report it\n${stack}`,
    exitCode: EXIT.failed,
  };
}

/** One error with its hint, ready to be written. */
export function errorText(message: string, hint?: string): string {
  return `holdfast: ${message}\n${hint === undefined ? '' : `${indent(hint)}\n`}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
