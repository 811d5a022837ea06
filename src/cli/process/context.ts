/** What a command gets to work with: nothing in a command reads `process` itself, so that tests can run it. */
import os from 'node:os';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { ownUid, resolveRuntimeDir } from '../../control/runtime-dir.js';
import type { ExitCode } from '../../errors.js';
import { terminalText } from '../../terminal-text.js';
import { outputFailed } from './leave.js';

/** A stream that people or programs read. */
export type Output = Writable & { readonly isTTY?: boolean | undefined };

export interface Context {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly runtimeDir: string;
  /** From now on Ctrl-C does not end the process: it aborts the signal, and so does a reader that has gone. */
  readonly interrupted: () => AbortSignal;
  /** Asks for a yes or no. null where nobody is there to answer. */
  readonly confirm?: ((question: string) => Promise<boolean>) | null;
  /** Takes the configuration that `start` has read, as JSON. */
  readonly onPrepared?: (json: string) => void;
}

/** The command line after parsing. */
export interface Invocation {
  /** The command as it was typed: its name, or another one of it. */
  readonly word?: string | undefined;
  readonly operand: string | undefined;
  /** Several supervisors, or `all`; a single name is the flag `name`. */
  readonly names?: readonly string[];
  /** What stood behind `--`, untouched. */
  readonly applicationArgs: readonly string[];
  /** By the flag's long name: true or false for a switch, the text for a value, the texts for a list. */
  readonly flags: Readonly<Record<string, boolean | string | readonly string[]>>;
}

/** @throws HoldfastError for what the user can mend */
export type Command = (invocation: Invocation, context: Context) => Promise<ExitCode>;

/** The context of this very process. */
export function processContext(): Context {
  let controller: AbortController | null = null;
  // Made when it is needed: most commands end sooner than it is loaded.
  const interrupt = () => {
    controller ??= new AbortController();
    return controller;
  };
  const guarded = new Set<NodeJS.WriteStream>();
  const guard = (stream: NodeJS.WriteStream) => {
    if (guarded.has(stream)) return stream;
    guarded.add(stream);
    // The one edge over which text reaches people: nothing that a terminal would obey passes it.
    const { write } = stream;
    stream.write = ((chunk: unknown, ...rest: unknown[]) =>
      Reflect.apply(write, stream, [typeof chunk === 'string' ? terminalText(chunk) : chunk, ...rest])) as typeof write;
    // `holdfast status | head -1` is no failure, nor is a terminal that has been closed.
    return stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') outputFailed(error);
      interrupt().abort();
    });
  };
  return {
    // Opened when used: a supervisor's log goes to the file descriptor, and a stream would change its flags.
    get stdout() {
      return guard(process.stdout);
    },
    get stderr() {
      return guard(process.stderr);
    },
    env: process.env,
    cwd: process.cwd(),
    runtimeDir: path.resolve(resolveRuntimeDir(process.env, ownUid(), os.tmpdir())),
    get confirm() {
      return isatty(0) ? async (question: string) => (await import('./confirm.js')).confirm(question) : null;
    },
    interrupted() {
      process.once('SIGINT', () => interrupt().abort());
      return interrupt().signal;
    },
  };
}

/**
 * Whether to colour: in a terminal, unless somebody says otherwise: https://force-color.org, which wins as it does in Node, and
 * https://no-color.org.
 */
export function wantsColour(output: Output, env: NodeJS.ProcessEnv): boolean {
  if (env.FORCE_COLOR) return !/^(?:0|false)$/.test(env.FORCE_COLOR);
  return output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

export interface Looks {
  readonly colour: boolean;
  /** The width of the terminal, if there is one. */
  readonly columns?: number | undefined;
}

/** How to show it there. */
export function looksOf(output: Output, env: NodeJS.ProcessEnv): Looks {
  return { colour: wantsColour(output, env), columns: columnsOf(output) };
}

/** The text of a flag that takes one value. */
export function flagText(invocation: Invocation, flag: string): string | undefined {
  const value = invocation.flags[flag];
  return typeof value === 'string' ? value : undefined;
}

/** The width of a terminal; undefined for what is none. */
export function columnsOf(output: Output): number | undefined {
  // A terminal that nobody has told its size has none.
  return 'columns' in output && typeof output.columns === 'number' && output.columns > 0 ? output.columns : undefined;
}
