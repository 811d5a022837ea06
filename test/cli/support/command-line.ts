/** The command line inside the test: words in, exit code and texts out. */
import { PassThrough } from 'node:stream';
import { dispatch } from '../../../src/cli/command-line/dispatch.js';
import type { Context, Output } from '../../../src/cli/process/context.js';
import type { ExitCode } from '../../../src/errors.js';

export interface Outcome {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly runtimeDir?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly terminal?: boolean;
  readonly interrupt?: AbortController;
  /** Who answers a question; nobody if not given. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** Called with each piece that comes on stdout. */
  readonly onOutput?: (text: string) => void;
}

export async function holdfast(argv: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const texts = { stdout: '', stderr: '' };
  const collect = (name: keyof typeof texts): Output =>
    Object.assign(new PassThrough(), { isTTY: surroundings.terminal ?? false }).on('data', (chunk: Buffer) => {
      texts[name] += chunk;
      if (name === 'stdout') surroundings.onOutput?.(String(chunk));
    });
  const interrupt = surroundings.interrupt ?? new AbortController();
  const context: Context = {
    stdout: collect('stdout'),
    stderr: collect('stderr'),
    env: surroundings.env ?? {},
    cwd: surroundings.cwd ?? process.cwd(),
    runtimeDir: surroundings.runtimeDir ?? '/nonexistent/holdfast',
    interrupted: () => interrupt.signal,
    confirm: surroundings.confirm ?? null,
  };
  const code = await dispatch(argv, context);
  // What was written is on its way through the streams.
  await new Promise((resolve) => setImmediate(resolve));
  return { code, ...texts };
}
