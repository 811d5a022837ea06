/**
 * A supervisor that was started by `holdfast start --detach`: how it is told so, and how it tells that it is ready. Must stay
 * small: every supervisor loads it.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

/** Tells a supervisor that it is one that was detached; its log file. Is not seen by its workers. */
export const VARIABLE = 'HOLDFAST_DETACHED';
/** By which it tells that it is ready. */
export const READY_FD = 3;

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

/** Takes it out of the environment. */
export function takeDetached(env: NodeJS.ProcessEnv): Detached | null {
  const logFile = env[VARIABLE];
  delete env[VARIABLE];
  return logFile === undefined ? null : { logFile };
}

/** Who has started it may go. What Node itself has to say from now on, at a crash, is for the log file. */
export function tellReady({ logFile }: Detached, text: string): void {
  try {
    writeSync(READY_FD, text);
    closeSync(READY_FD);
    closeSync(2);
    // It is given the lowest number that is free.
    openSync(logFile, 'a', 0o600);
  } catch {
    // Who has started it has gone already.
  }
}

/** Those of holdfast itself: what is behind `--` is the application's. */
export function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}
