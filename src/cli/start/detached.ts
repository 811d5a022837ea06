/**
 * A supervisor that was started by `holdfast start --detach`: how it is told so, and how it tells that it is ready. Must stay
 * small: every supervisor loads it.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

/** Tells a supervisor that it is one that was detached; its log file. Is not seen by its workers. */
export const VARIABLE = 'HOLDFAST_DETACHED';
/** By which it tells that it is ready. */
export const READY_FD = 3;
/** Behind what it tells then: it runs, but what it was started with was not rolled out. */
export const TAKEN_BACK = '\0';

/** Of this very process, where it was started by `detach`. */
export interface Detached {
  readonly logFile: string;
}

/** Whether `--detach` is among the words of holdfast itself. */
export function wantsDetach(argv: readonly string[]): boolean {
  const own = ownWords(argv);
  const last = own.findLast((word) => /^--(?:no-)?detach(?:=|$)/.test(word));
  return last === '--detach' || last === '--detach=true';
}

/** Whether a supervisor of the same name that runs is to be replaced. */
export function wantsReplace(argv: readonly string[]): boolean {
  const last = ownWords(argv).findLast((word) => /^--(?:no-)?replace(?:=|$)/.test(word));
  return last === '--replace' || last === '--replace=true';
}

/** Takes it out of the environment. */
export function takeDetached(env: NodeJS.ProcessEnv): Detached | null {
  const logFile = env[VARIABLE];
  delete env[VARIABLE];
  return logFile === undefined ? null : { logFile };
}

/**
 * What Node itself says at a crash, and log lines while the log file cannot be written. A file of its own: the log file is put
 * aside and compressed one day, and this descriptor would go with it.
 */
export function errorFileOf(logFile: string): string {
  return `${logFile}.stderr`;
}

/** Who has started it may go: from now on standard error is a file. */
export function tellReady({ logFile }: Detached, text: string): void {
  try {
    writeSync(READY_FD, text);
    closeSync(READY_FD);
  } catch {
    // Who has started it has gone already.
  }
  closeSync(2);
  // Each is given the lowest number that is free. Without any, the next file that is opened would be standard error.
  try {
    openSync(errorFileOf(logFile), 'a', 0o600);
  } catch {
    openSync('/dev/null', 'a');
  }
}

/** Those of holdfast itself: what is behind `--` is the application's. */
export function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}
