/**
 * Finds the supervisors that run in a runtime folder, by their control sockets.
 *
 * Must stay light: `holdfast status` loads this and little else.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { EXIT, HoldfastError } from '../../errors.js';
import { nearest } from '../../nearest.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { checkRuntimeDir } from '../runtime-dir.js';
import { absence, controlSocketPath, nameOfSocket, probeSocket } from '../socket-path.js';
import { ANSWER_TIMEOUT_MS, Connection } from './client.js';
import { fetchStatus } from './exchange.js';

export interface ListedSupervisor {
  readonly name: string;
  /** null: it accepts connections but does not answer. */
  readonly status: SupervisorStatus | null;
}

/**
 * Every running supervisor of this runtime folder, by name.
 *
 * @param answerTimeoutMs a supervisor that takes longer for its status counts as not answering
 * @throws HoldfastError RUNTIME_DIR_UNSAFE
 */
export async function listSupervisors(dir: string, answerTimeoutMs = ANSWER_TIMEOUT_MS): Promise<ListedSupervisor[]> {
  const found = await Promise.all(
    (await supervisorNames(dir)).map(async (name) => {
      try {
        // Asked at once: whether anybody is there shows then.
        return { name, status: await fetchStatus(controlSocketPath(dir, name), answerTimeoutMs) };
      } catch (error) {
        return absence(error) === null ? { name, status: null } : null;
      }
    }),
  );
  return found.filter((listed) => listed !== null);
}

/**
 * The supervisor of this name, or the only one that runs.
 *
 * @throws HoldfastError NO_SUPERVISOR (exit code 3) where there is none; NAME_NEEDED (exit code 2) where several run
 *   and no name was given; RUNTIME_DIR_UNSAFE
 */
export async function connectTo(dir: string, name?: string): Promise<Connection> {
  const names = await supervisorNames(dir);
  if (name !== undefined) {
    const isThere = names.includes(name) && (await listens(dir, name));
    if (!isThere) throw noSupervisor(dir, await runningOf(dir, names), name);
    return new Connection(name, controlSocketPath(dir, name));
  }
  const running = await runningOf(dir, names);
  const [only, ...others] = running;
  if (only === undefined) throw noSupervisor(dir, running);
  if (others.length > 0) {
    throw new HoldfastError('NAME_NEEDED', 'cannot choose a supervisor: several of them run', {
      hint: `give one of them with --name: ${running.join(', ')}`,
      exitCode: EXIT.usage,
    });
  }
  return new Connection(only, controlSocketPath(dir, only));
}

/** The names of running supervisors; none of them is asked for anything. @throws HoldfastError RUNTIME_DIR_UNSAFE */
export async function runningNames(dir: string): Promise<string[]> {
  return runningOf(dir, await supervisorNames(dir));
}

/** Of every control socket in the folder, also of one that nobody listens on. @throws HoldfastError RUNTIME_DIR_UNSAFE */
export async function supervisorNames(dir: string): Promise<string[]> {
  if (!(await checkRuntimeDir(dir))) return [];
  const files = readdirSync(dir, { withFileTypes: true }).filter((file) => file.isSocket());
  return files.flatMap((file) => nameOfSocket(file.name) ?? []).sort();
}

/** Those whose control socket takes connections. */
async function runningOf(dir: string, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map((name) => listens(dir, name)));
  return names.filter((_name, index) => found[index]);
}

async function listens(dir: string, name: string): Promise<boolean> {
  return (await probeSocket(controlSocketPath(dir, name))) === 'listening';
}

function noSupervisor(dir: string, running: readonly string[], name?: string): HoldfastError {
  const folder = path.resolve(dir);
  if (name === undefined) {
    return new HoldfastError('NO_SUPERVISOR', `cannot find a supervisor: none runs (looked in ${folder})`, {
      hint: 'start one with: holdfast start <script or config file>',
      exitCode: EXIT.noSupervisor,
    });
  }
  const meant = nearest(name, running);
  const others = running.length === 0 ? `none runs (looked in ${folder})` : `running: ${running.join(', ')}`;
  return new HoldfastError('NO_SUPERVISOR', `cannot find the supervisor ${name}: no such supervisor runs`, {
    hint: meant === undefined ? others : `did you mean ${meant}? ${others}`,
    exitCode: EXIT.noSupervisor,
  });
}
