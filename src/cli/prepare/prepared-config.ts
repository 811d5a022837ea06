/**
 * Reads the configuration for a supervisor. That lives for months: the libraries that parse and validate would add half to
 * its memory, and every version of a configuration that is a module would stay in it for good. So they do not stay:
 *
 * - at the start they are loaded into the supervisor itself, which has nothing else to do, and forgotten: another process
 *   would take as long to begin as plain Node does;
 * - a reload has a process of its own, so that a supervisor whose workers serve is not kept busy, and so has a
 *   configuration that is a program, whatever it does. That process has a deadline, and is killed when the supervisor ends;
 *   nothing that it leaves behind is waited for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/config.js';
import { isConfigFile, isConfigProgram } from '../../config/file/config-name.js';
import type { LoadedConfig } from '../../config/load.js';
import { EXIT, type ExitCode, HoldfastError } from '../../errors.js';
import { programFile } from '../../platform/own-program.js';
import { spawning } from '../../spawn.js';
import type { Context } from '../process/context.js';
import { plainEnvironment } from '../process/node-options.js';

/** As they are called in the bundle. */
const PROGRAM = 'dist/program/prepare.cjs';
const MODULE = fileURLToPath(new URL('./dispatch.cjs', import.meta.url));
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

/** Several applications of one file: each is to have a supervisor of its own, which loads what concerns it. */
export interface Several {
  readonly file: string | null;
  readonly several: readonly Pick<Config, 'name' | 'logFormat' | 'logFile'>[];
}

/** No config means that this was all: what is wrong has been told, or help was asked for. */
export interface Prepared {
  readonly exitCode: ExitCode;
  readonly loaded: LoadedConfig | Several | null;
}

/** Reads it with the terminal as it is: what is wrong is told there. */
export function prepareConfig(from: PreparedFrom, context: Context): Promise<Prepared> {
  return from.argv.some(isConfigProgram) ? prepareApart(from) : prepareHere(from, context);
}

/** The same, and nothing is told where all is well. */
export async function prepareQuietly(from: PreparedFrom, context: Context): Promise<Prepared> {
  let said = '';
  let prepared: Prepared;
  if (from.argv.some(isConfigProgram)) {
    const { code, json, stderr } = await read(from, { stdout: 'inherit', stderr: 'pipe' });
    said = stderr;
    prepared = preparedOf(code, json);
  } else {
    const stderr = { write: (text: string) => (said += text) };
    prepared = await prepareHere(from, Object.create(context, { stderr: { value: stderr } }));
  }
  if (prepared.loaded === null) context.stderr.write(said);
  return prepared;
}

async function prepareHere({ argv }: PreparedFrom, context: Context): Promise<Prepared> {
  // Of its own, or the module that is forgotten would be known by this one.
  const require = createRequire(import.meta.url);
  const known = new Set(Object.keys(require.cache));
  const { dispatch } = require(MODULE) as typeof import('../command-line/dispatch.js');
  let json: string | null = null;
  const onPrepared = (result: string) => {
    json = result;
  };
  const exitCode = await dispatch(argv, Object.create(context, { onPrepared: { value: onPrepared } }));
  for (const file of Object.keys(require.cache)) if (!known.has(file)) delete require.cache[file];
  return { exitCode, loaded: json === null ? null : (JSON.parse(json) as LoadedConfig | Several) };
}

async function prepareApart(from: PreparedFrom): Promise<Prepared> {
  const { code, json } = await read(from, { stdout: 'inherit', stderr: 'inherit' });
  return preparedOf(code, json);
}

function preparedOf(code: ExitCode | null, json: string): Prepared {
  return {
    exitCode: code ?? EXIT.failed,
    loaded: code === 0 && json !== '' ? (JSON.parse(json) as LoadedConfig | Several) : null,
  };
}

/** @throws HoldfastError with what is wrong in its message */
export async function prepareConfigAgain(from: PreparedFrom): Promise<LoadedConfig> {
  const { code, json, stderr } = await read(from, { stdout: 'ignore', stderr: 'pipe' });
  if (code === 0) {
    const loaded = JSON.parse(json) as LoadedConfig | Several;
    if (!('several' in loaded)) return loaded;
    const names = loaded.several.map(({ name }) => name).join(', ');
    const hint = 'run holdfast stop, then holdfast start FILE: each of them gets a supervisor';
    throw new HoldfastError(
      'CONFIG_INVALID',
      `cannot use the configuration: the file now has several applications: ${names}`,
      { hint },
    );
  }
  throw new HoldfastError('CONFIG_INVALID', stderr.replace(/^holdfast: /, '').trimEnd(), { exitCode: EXIT.usage });
}

interface ReaderOutput {
  readonly stdout: 'inherit' | 'ignore';
  readonly stderr: 'inherit' | 'pipe';
}

interface Outcome {
  readonly code: ExitCode | null;
  readonly json: string;
  readonly stderr: string;
}

/** @throws HoldfastError where the process cannot be run, is too slow, or is killed */
async function read(from: PreparedFrom, output: ReaderOutput): Promise<Outcome> {
  const { argv, env, cwd, signal, deadlineMs = DEADLINE_MS } = from;
  if (signal?.aborted) throw unreadable('the supervisor stops');
  const isHere = existsSync(cwd);
  // What was started from a folder that has been removed since can do without where nothing is named from there.
  if (!isHere && !argv.some((word) => path.isAbsolute(word) && isConfigFile(word))) {
    throw unreadable(`the folder in which holdfast was started is gone: ${cwd}`);
  }
  // What NODE_OPTIONS preload is not for the process that reads.
  const child = spawnReader(argv, { env: plainEnvironment(env) ?? env, cwd: isHere ? cwd : '/', output });
  const json = collect(child.stdio?.[3] as Readable | null | undefined);
  const stderr = collect(output.stderr === 'pipe' ? child.stderr : null);
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
  { env, cwd, output }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly output: ReaderOutput },
): ChildProcess {
  try {
    const program = programFile(PROGRAM, cwd);
    // Node would tell with a stack that it is not there.
    if (!existsSync(program)) throw new Error(`holdfast is no longer installed where it was: ${program} is gone`);
    // In the supervisor each reload has one.
    return spawning(() =>
      spawn(process.execPath, [program, ...argv], {
        env,
        cwd,
        stdio: ['ignore', output.stdout, output.stderr, 'pipe'],
      }),
    );
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
  return code === undefined ? message : `its reader does not start (${code})`;
}

const UNREADABLE_HINT =
  'see what the file does: holdfast check FILE; if holdfast has been moved or removed, install it again';

function unreadable(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('CONFIG_UNREADABLE', `cannot read the configuration: ${reason}`, {
    hint: UNREADABLE_HINT,
    cause,
  });
}
