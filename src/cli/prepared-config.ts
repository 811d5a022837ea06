/**
 * Lets a short-lived process read the configuration. The supervisor lives for months: the libraries that parse and
 * validate would double its memory, and every reload of a configuration that is a module would stay in it for good.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../config/load.js';
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';

const PROGRAM = fileURLToPath(new URL('./prepare.js', import.meta.url));

export interface PreparedFrom {
  /** The words behind `holdfast`, `start` first. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Logical working folder: it may lead through a deployment link to another folder than it did at the start. */
  readonly cwd: string;
}

/** Reads it with the terminal as it is: what is wrong is told there. No config means that the program has ended. */
export async function prepareConfig(from: PreparedFrom): Promise<{ exitCode: ExitCode; loaded: LoadedConfig | null }> {
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
