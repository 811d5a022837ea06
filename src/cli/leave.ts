/**
 * How the program ends: what was written has a moment to be read, then it is over, whatever is still open. Nothing that
 * hangs, a reader that does not read included, may keep the process.
 */
import type { ExitCode } from '../errors.js';
import { leaveTerminal } from './controlling-terminal.js';

const FLUSH_MS = 1_000;

export async function leave(exitCode: ExitCode): Promise<never> {
  const streams = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0 && !stream.destroyed);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_MS);
  });
  const written = streams.map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve())));
  await Promise.race([late, Promise.all(written)]);
  clearTimeout(timer);
  leaveTerminal();
  process.exit(exitCode);
}
