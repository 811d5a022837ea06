/**
 * Reads the configuration for a supervisor. That lives for months: the libraries that parse and validate would add half to
 * its memory, and every version of a configuration that is a module would stay in it for good. So they do not stay:
 *
 * - at the start they are loaded into the supervisor itself, which has nothing else to do, and forgotten: another process
 *   would take as long to begin as plain Node does;
 * - a reload has a process of its own, so that a supervisor whose workers serve is not kept busy, and so has a
 *   configuration that is a program, whatever it does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { isConfigProgram } from '../config/config-name.js';
import type { LoadedConfig } from '../config/load.js';
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';
import type { Context } from './context.js';

/** As they are called in the bundle. */
const PROGRAM = fileURLToPath(new URL('./prepare.cjs', import.meta.url));
const MODULE = fileURLToPath(new URL('./dispatch.cjs', import.meta.url));

export interface PreparedFrom {
  /** The words behind `holdfast`, `start` first. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Logical working folder: it may lead through a deployment link to another folder than it did at the start. */
  readonly cwd: string;
}

/** No config means that this was all: what is wrong has been told, or help was asked for. */
export interface Prepared {
  readonly exitCode: ExitCode;
  readonly loaded: LoadedConfig | null;
}

/** Reads it with the terminal as it is: what is wrong is told there. */
export function prepareConfig(from: PreparedFrom, context: Context): Promise<Prepared> {
  return from.argv.some(isConfigProgram) ? prepareApart(from) : prepareHere(from, context);
}

async function prepareHere({ argv }: PreparedFrom, context: Context): Promise<Prepared> {
  // Of its own, or the module that is forgotten would be known by this one.
  const require = createRequire(import.meta.url);
  const known = new Set(Object.keys(require.cache));
  const { dispatch } = require(MODULE) as typeof import('./dispatch.js');
  let json: string | null = null;
  const onPrepared = (result: string) => {
    json = result;
  };
  const exitCode = await dispatch(argv, Object.create(context, { onPrepared: { value: onPrepared } }));
  for (const file of Object.keys(require.cache)) if (!known.has(file)) delete require.cache[file];
  return { exitCode, loaded: json === null ? null : (JSON.parse(json) as LoadedConfig) };
}

async function prepareApart(from: PreparedFrom): Promise<Prepared> {
  const child = spawn(process.execPath, [PROGRAM, ...from.argv], {
    env: from.env,
    cwd: from.cwd,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const [json, [code]] = await Promise.all([text(child.stdio[3] as Readable), once(child, 'close')]);
  return {
    exitCode: code ?? EXIT.failed,
    loaded: code === 0 && json !== '' ? (JSON.parse(json) as LoadedConfig) : null,
  };
}

/** @throws HoldfastError with what is wrong in its message */
export async function prepareConfigAgain(from: PreparedFrom): Promise<LoadedConfig> {
  const child = spawn(process.execPath, [PROGRAM, ...from.argv], {
    env: from.env,
    cwd: from.cwd,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const failed = once(child, 'error').then(([cause]) => {
    throw new HoldfastError('CONFIG_UNREADABLE', `cannot read the configuration: ${cause.message}`, { cause });
  });
  const [json, stderr, [code]] = await Promise.race([
    Promise.all([text(child.stdio[3] as Readable), text(child.stderr as Readable), once(child, 'close')]),
    failed,
  ]);
  if (code === 0) return JSON.parse(json) as LoadedConfig;
  throw new HoldfastError('CONFIG_INVALID', stderr.replace(/^holdfast: /, '').trimEnd(), { exitCode: EXIT.usage });
}
