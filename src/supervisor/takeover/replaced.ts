/**
 * The supervisor that this one is to replace: it runs, and is asked to leave its workers to this one. Before that all is looked at
 * that can be: as long as it has not left, it goes on.
 */
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config/config.js';
import type { Connection, ResultLine } from '../../control/client/client.js';
import { connectTo } from '../../control/client/find.js';
import { ensureRuntimeDir } from '../../control/runtime-dir.js';
import { HoldfastError } from '../../errors.js';
import type { Log } from '../../logs/logger.js';
import type { ListenMode, SupervisorStatus } from '../../protocol/status.js';
import { OF_SUPERVISOR } from '../deployments/fixed-options.js';
import type { Release } from '../deployments/release.js';
import {
  attachPath,
  findOrphans,
  isThere,
  markOf,
  orphanAt,
  type ProcessMark,
  parentOf,
  signalProcess,
} from './orphans/orphans.js';

/** How long it may take to end once it has left: then nothing is lost with it. */
const END_MS = 5_000;
const LOOK_MS = 10;
type Admin = Config['admin'];

export interface Replaced {
  readonly pid: number;
  /**
   * What its workers run, until the rollout; what belongs to the supervisor itself is as in this one's configuration. Null where
   * its version says it in another way than this one.
   */
  readonly release: Release | null;
  /**
   * Returns when it has ended.
   *
   * @param mode of this one
   * @throws HoldfastError where it does not leave: then it goes on
   */
  leave(mode: ListenMode): Promise<void>;
}

export interface ReplacedOptions {
  readonly runtimeDir: string;
  /** What is to be rolled out. */
  readonly wanted: Release;
  readonly log: Log;
}

/**
 * @returns null where none of that name runs
 * @throws HoldfastError where it cannot be replaced, or cannot be asked
 */
export async function findReplaced({ runtimeDir, wanted, log }: ReplacedOptions): Promise<Replaced | null> {
  const { name, admin } = wanted.config;
  // What would keep this one from having the name.
  await ensureRuntimeDir(runtimeDir);
  const connection = await connectTo(runtimeDir, name).catch((error: unknown) => {
    if (error instanceof HoldfastError && error.code === 'NO_SUPERVISOR') return null;
    throw error;
  });
  if (connection === null) return null;
  const attachAt = attachPath(runtimeDir, name);
  const status = await connection.status().catch(() => null);
  if (status === null) throw silent(name, attachAt);
  const mark = markOf(status.pid ?? 0);
  const reason =
    mark === null ? 'its process is not visible from here, as in another container' : lackOf(status, attachAt);
  if (mark === null || reason !== null) throw refused(name, reason ?? '');
  const asked = await perform(connection, true, log);
  const release = readRelease(asked.release, wanted.config);
  if (release === null) {
    const hint = 'a worker that has to be replaced before the rollout runs the new release';
    log.logger.warn({ version: status.version, hint }, 'the supervisor that runs says in another way what it runs');
  }
  const leave = async (mode: ListenMode) => {
    const lack = await newLack(mode, status.listenMode, admin, release?.config.admin ?? null);
    if (lack !== null) throw refused(name, lack);
    await perform(connection, false, log);
    await ended(mark, log);
  };
  return { pid: mark.pid, release: release && beforeRollout(release, wanted), leave };
}

/** @returns why this one could not take its workers over */
function lackOf({ workers }: SupervisorStatus, attachAt: string): string | null {
  const serving = workers.filter(({ state, pid }) => state === 'ready' && pid !== null);
  if (serving.length === 0) return 'it has no worker that is ready: stop it, and start this one';
  const unseen = serving.find(({ pid }) => orphanAt(pid ?? 0, attachAt) === null);
  if (unseen !== undefined) return `its worker ${unseen.id} does not look for the next supervisor at ${attachAt}`;
  const changed = serving.find(({ pid }) => orphanAt(pid ?? 0, attachAt)?.isForeign);
  return changed === undefined
    ? null
    : `its worker ${changed.id} has become another user, and could not come to this one`;
}

/** @returns why this one would not get up in its place, as far as that can be told before */
async function newLack(mode: ListenMode, before: ListenMode, admin: Admin, adminBefore: Admin): Promise<string | null> {
  if (mode !== before)
    return `it runs in ${before} mode, and this one would in ${mode} mode: sockets of one mode do not work in the other`;
  if (admin === null || (admin.host === adminBefore?.host && admin.port === adminBefore.port)) return null;
  const server = net.createServer();
  try {
    const where = { ...(admin.host !== null && { host: admin.host }), port: admin.port, exclusive: true };
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, resolve);
    });
    return null;
  } catch (error) {
    return `cannot listen on the admin address: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    server.close();
  }
}

/** What it has of its own comes from its own configuration, what its sockets are bound by stays. */
export function beforeRollout({ config, ...release }: Release, wanted: Release): Release {
  const own = Object.fromEntries(OF_SUPERVISOR.map((option) => [option, wanted.config[option]]));
  return { ...release, config: { ...config, ...own } };
}

async function perform(connection: Connection, dryRun: boolean, log: Log): Promise<ResultLine> {
  const { name } = connection;
  let result: ResultLine;
  try {
    result = await connection.perform({ leave: dryRun ? { dryRun } : {} }, ({ message, fields }) => {
      log.logger.info(fields, message);
    });
  } catch (error) {
    throw refused(name, error instanceof Error ? error.message : String(error));
  }
  if (!result.ok) throw refused(name, result.reason ?? 'it does not say why');
  return result;
}

async function ended(mark: ProcessMark, log: Log): Promise<void> {
  const until = performance.now() + END_MS;
  let killed = false;
  while (isThere(mark)) {
    if (!killed && performance.now() > until) {
      log.logger.warn(
        { pid: mark.pid, afterMs: END_MS },
        'the previous supervisor has left and does not end: it is killed',
      );
      killed = signalProcess(mark, 'SIGKILL');
      if (!killed) return;
    }
    await delay(LOOK_MS);
  }
}

/**
 * Of a version that knows other options what it says cannot be relied on.
 *
 * @param like each option must be there, of the same kind
 */
export function readRelease(value: unknown, like: Config): Release | null {
  const { script, cwd, fingerprint, loadedAtMs, scriptChangedAtMs, config, source } = (value ?? {}) as Partial<Release>;
  const texts = [script, cwd, fingerprint];
  if (texts.some((text) => typeof text !== 'string') || typeof config !== 'object' || config === null) return null;
  if (typeof loadedAtMs !== 'number' || typeof scriptChangedAtMs !== 'number') return null;
  const given = new Map(Object.entries(config));
  const wanted = Object.entries(like);
  const isAlike = wanted.every(([option, own]) => given.has(option) && isOfKind(given.get(option), own));
  if (!isAlike || given.size !== wanted.length) return null;
  return { ...(value as Release), id: 1, config, source };
}

/** What may be left out may be there. */
function isOfKind(value: unknown, like: unknown): boolean {
  return (
    value === null || like === null || (typeof value === typeof like && Array.isArray(value) === Array.isArray(like))
  );
}

function refused(name: string, reason: string): HoldfastError {
  return new HoldfastError('REPLACE_REFUSED', `cannot replace the supervisor ${name}: ${reason}`, {
    hint: `it runs on unchanged: holdfast status --name ${name}`,
  });
}

function silent(name: string, attachAt: string): HoldfastError {
  const [worker] = findOrphans(attachAt);
  const parent = worker === undefined ? null : parentOf(worker.pid);
  const which = parent === null || parent === 1 ? 'PID' : String(parent);
  return new HoldfastError('REPLACE_REFUSED', `cannot replace the supervisor ${name}: it does not answer`, {
    hint: `if it does not recover: kill -9 ${which}, then start this one, which takes over the workers; they keep serving`,
  });
}
