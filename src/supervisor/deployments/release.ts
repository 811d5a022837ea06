/**
 * A release: the code, configuration and environment of one generation, resolved once and kept, so that a crash is
 * replaced by the same code even after a deployment link has been moved on.
 */
import fs, { constants, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../../config/config.js';
import type { LoadedConfig } from '../../config/load.js';
import type { Policy } from '../../core/state/types.js';
import { EXIT, HoldfastError } from '../../errors.js';

// Not of node:fs/promises, which takes a start longer to load than these calls take; nor at once: a disk that does not answer must
// not stop a supervisor.
const access = promisify(fs.access);
const realpath = promisify(fs.realpath.native);
const stat = promisify(fs.stat);

export interface Release {
  readonly id: number;
  readonly config: Config;
  /** Entry file and working folder with all symbolic links resolved. */
  readonly script: string;
  readonly cwd: string;
  /** Of the entry file, to find out whether it has been changed since. */
  readonly fingerprint: string;
  /** When it was resolved, in milliseconds since 1970. */
  readonly loadedAtMs: number;
  /** When its entry file was last changed, likewise. */
  readonly scriptChangedAtMs: number;
  /** What the configuration was made of; none for a worker's own view of it. */
  readonly source?: ReleaseSource | undefined;
}

export type ReleaseSource = Pick<LoadedConfig, 'file' | 'resolved' | 'origins'>;

/** What changes with a file: writing it in place changes its time, replacing it its number. */
export function fingerprintOf(script: string): string {
  const found = statSync(script, { throwIfNoEntry: false });
  return found === undefined ? 'gone' : `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}`;
}

/** @throws HoldfastError `SCRIPT_NOT_FOUND` or `CWD_NOT_FOUND` */
export async function resolveRelease(id: number, config: Config, source?: ReleaseSource): Promise<Release> {
  const cwd = await realpath(config.cwd).catch((cause: unknown) => {
    throw missing('CWD_NOT_FOUND', 'enter the working folder', config.cwd, cause);
  });
  const script = await resolveScript(path.resolve(config.cwd, config.script), config.exec).catch((cause: unknown) => {
    throw missing('SCRIPT_NOT_FOUND', 'run', path.resolve(config.cwd, config.script), cause);
  });
  const stats = await stat(script);
  if (stats.isDirectory()) {
    throw new HoldfastError('SCRIPT_IS_FOLDER', `cannot run ${script}: it is a folder`, {
      hint: 'name the entry file in it',
      exitCode: EXIT.usage,
    });
  }
  const times = { loadedAtMs: Date.now(), scriptChangedAtMs: Math.round(stats.mtimeMs) };
  return { id, config, script, cwd, fingerprint: fingerprintOf(script), ...times, source };
}

/** A program may go by the name that it is called by, as one in a virtual environment of Python does: only its folder is resolved. */
async function resolveScript(file: string, exec: boolean): Promise<string> {
  if (!exec) return realpath(file);
  await access(file, constants.X_OK);
  return path.join(await realpath(path.dirname(file)), path.basename(file));
}

/** What the core needs to know of a release. */
export function policyFor({ id, config }: Release): Policy {
  return {
    release: id,
    ready: config.ready,
    readyTimeoutMs: config.readyTimeoutMs,
    cannotWait: config.exec,
    minUptimeMs: config.minUptimeMs,
    health: config.health !== null,
    healthIntervalMs: config.healthIntervalMs,
    soakMs: config.soakMs,
    trialMs: config.trialMs,
    surge: config.surge,
    maxDraining: config.maxDraining,
    drainTimeoutMs: config.drainTimeoutMs,
    spreadMs: config.spreadMs,
    handover: config.handover === 'on' && !config.exec,
    killTimeoutMs: config.killTimeoutMs,
    backoffBaseMs: config.backoffBaseMs,
    backoffMaxMs: config.backoffMaxMs,
    backoffFactor: config.backoffFactor,
    backoffResetMs: config.backoffResetMs,
    maxRestarts: config.maxRestarts,
    restartWindowMs: config.restartWindowMs,
    onCrashLoop: config.onCrashLoop,
    stopExitCodes: config.stopExitCodes,
    slowStartMs: config.slowStartMs,
  };
}

function missing(code: string, verb: string, what: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new HoldfastError(code, `cannot ${verb} ${what}: ${reason}`, {
    hint: 'a deployment may have removed it: check the path and the links in it',
    exitCode: EXIT.usage,
    cause,
  });
}
