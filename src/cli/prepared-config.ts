/**
 * Lets a short-lived process read the configuration. The supervisor lives for months: the libraries that parse and
 * validate would double its memory, and every reload of a configuration that is a module would stay in it for good.
 *
 * Owns that process: it has a deadline, and is killed when the supervisor ends. Nothing that it leaves behind is waited for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../config/load.js';
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';

const PROGRAM = fileURLToPath(new URL('./prepare.js', import.meta.url));
/** A configuration that is a program has 10 s of its own; the rest is for a machine that is busy. */
const DEADLINE_MS = 30_000;
/** What a process that has ended leaves in its pipes is there at once; somebody else may hold them open. */
const PIPES_MS = 250;
const MOST_BYTES = 8 * 1024 * 1024;

export interface PreparedFrom {
  /** The words behind `holdfast`, `start` first. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Logical working folder: it may lead through a deployment link to another folder than it did at the start. */
  readonly cwd: string;
  /** Kills the process that reads. */
  readonly signal?: AbortSignal | undefined;
  readonly deadlineMs?: number;
}

/** Reads it with the terminal as it is: what is wrong is told there. No config means that the program has ended. */
export async function prepareConfig(from: PreparedFrom): Promise<{ exitCode: ExitCode; loaded: LoadedConfig | null }> {
  const { code, json } = await read(from, 'inherit');
  return {
    exitCode: code ?? EXIT.failed,
    loaded: code === 0 && json !== '' ? (JSON.parse(json) as LoadedConfig) : null,
  };
}

/** @throws HoldfastError with what is wrong in its message */
export async function prepareConfigAgain(from: PreparedFrom): Promise<LoadedConfig> {
  const { code, json, stderr } = await read(from, 'pipe');
  if (code === 0) return JSON.parse(json) as LoadedConfig;
  throw new HoldfastError('CONFIG_INVALID', stderr.replace(/^holdfast: /, '').trimEnd(), { exitCode: EXIT.usage });
}

interface Outcome {
  readonly code: ExitCode | null;
  readonly json: string;
  readonly stderr: string;
}

/** @throws HoldfastError where the process cannot be run, is too slow, or is killed */
async function read(from: PreparedFrom, output: 'inherit' | 'pipe'): Promise<Outcome> {
  const { argv, env, cwd, signal, deadlineMs = DEADLINE_MS } = from;
  if (signal?.aborted) throw unreadable('the supervisor stops');
  const child = spawnReader(argv, { env, cwd, output });
  const json = collect(child.stdio?.[3] as Readable | null | undefined);
  const stderr = collect(output === 'pipe' ? child.stderr : null);
  let timer: NodeJS.Timeout | undefined;
  let stopped: (() => void) | undefined;
  try {
    const [code, killedBy] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('exit', (code, killedBy) => resolve([code, killedBy]));
      child.once('error', (cause: NodeJS.ErrnoException) => reject(unreadable(reasonOf(cause), cause)));
      timer = setTimeout(() => reject(unreadable(`it takes longer than ${deadlineMs / 1000} s`)), deadlineMs);
      stopped = () => {
        // At once: the process may end right after this.
        child.kill('SIGKILL');
        reject(unreadable('the supervisor stops'));
      };
      signal?.addEventListener('abort', stopped);
    });
    if (killedBy !== null) throw unreadable(`the process that reads it was ended by ${killedBy}`);
    clearTimeout(timer);
    timer = undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PIPES_MS);
    });
    await Promise.race([patience, Promise.all([json.ended, stderr.ended])]);
    return { code: code as ExitCode | null, json: json.text(), stderr: stderr.text() };
  } finally {
    clearTimeout(timer);
    if (stopped !== undefined) signal?.removeEventListener('abort', stopped);
    child.kill('SIGKILL');
    json.close();
    stderr.close();
  }
}

function spawnReader(
  argv: readonly string[],
  { env, cwd, output }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly output: 'inherit' | 'pipe' },
): ChildProcess {
  try {
    return spawn(process.execPath, [PROGRAM, ...argv], {
      env,
      cwd,
      stdio: ['ignore', output === 'inherit' ? 'inherit' : 'ignore', output, 'pipe'],
    });
  } catch (cause) {
    throw unreadable(reasonOf(cause as NodeJS.ErrnoException), cause);
  }
}

/** The text of a stream so far. A process that could not be started for want of a descriptor has none. */
function collect(stream: Readable | null | undefined) {
  let text = '';
  const ended = new Promise<void>((resolve) => {
    if (!stream) return resolve();
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      if (text.length < MOST_BYTES) text += chunk;
    });
    // Always followed by 'close'.
    stream.on('error', () => {});
    stream.once('close', resolve);
  });
  return { ended, text: () => text, close: () => stream?.destroy() };
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === undefined ? message : `its reader cannot be run (${code})`;
}

function unreadable(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('CONFIG_UNREADABLE', `cannot read the configuration: ${reason}`, { cause });
}
