/**
 * How the program ends: what was written has a moment to be read, then it is over, whatever is still open. Nothing that
 * hangs, a reader that does not read included, may keep the process.
 */
import { writeSync } from 'node:fs';
import { EXIT, type ExitCode } from '../../errors.js';
import { leaveTerminal } from './controlling-terminal.js';

const FLUSH_MS = 1_000;

let isWritten = true;

/** What the command was to say has not arrived where it was to go: it has failed, whatever else it has done. */
export function outputFailed({ message }: Error): void {
  if (isWritten) {
    try {
      writeSync(2, `holdfast: cannot write all of the output: ${message}\n`);
    } catch {
      // Nobody is left to be told.
    }
  }
  isWritten = false;
}

export async function leave(exitCode: ExitCode): Promise<never> {
  // A stream that has failed says so later.
  await new Promise(setImmediate);
  const streams = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0 && !stream.destroyed);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_MS);
  });
  const written = streams.map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve())));
  await Promise.race([late, Promise.all(written)]);
  clearTimeout(timer);
  leaveTerminal();
  process.exit(isWritten || exitCode !== EXIT.done ? exitCode : EXIT.failed);
}
