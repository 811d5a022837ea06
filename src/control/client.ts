/**
 * The command line's side of the control API: finds supervisors in the runtime folder and speaks to them.
 *
 * Must stay light: `holdfast status` loads this and little else.
 */

import { readdir } from 'node:fs/promises';
import type http from 'node:http';
import path from 'node:path';
import { EXIT, HoldfastError } from '../errors.js';
import { nearest } from '../nearest.js';
import type { ControlLine, ReloadOptions, SupervisorStatus } from '../protocol.js';
import { errorIn, exchange, fetchStatus, readLines, readText } from './exchange.js';
import { checkRuntimeDir } from './runtime-dir.js';
import { controlSocketPath, nameOfSocket, probeSocket } from './socket-path.js';

const ANSWER_TIMEOUT_MS = 5_000;
/** After the result of a request the connection ends by itself; a supervisor that hangs shall not hold its client. */
const END_TIMEOUT_MS = 5_000;

export type ProgressLine = ControlLine & { readonly type: 'progress' };
export type ResultLine = ControlLine & { readonly type: 'result' };
export type Action =
  | 'reload'
  | 'restart'
  | 'stop'
  | 'promote'
  | 'abort'
  | { readonly reload: ReloadOptions }
  | { readonly scale: string };

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
  return Promise.all(
    (await runningNames(dir)).map(async (name) => ({
      name,
      status: await fetchStatus(controlSocketPath(dir, name), answerTimeoutMs).catch(() => null),
    })),
  );
}

/**
 * The supervisor of this name, or the only one that runs.
 *
 * @throws HoldfastError NO_SUPERVISOR (exit code 3) where there is none; NAME_NEEDED (exit code 2) where several run
 *   and no name was given; RUNTIME_DIR_UNSAFE
 */
export async function connectTo(dir: string, name?: string): Promise<Connection> {
  const running = await runningNames(dir);
  if (name !== undefined) {
    if (!running.includes(name)) throw noSupervisor(dir, running, name);
    return new Connection(name, controlSocketPath(dir, name));
  }
  const [only, ...others] = running;
  if (only === undefined) throw noSupervisor(dir, running);
  if (others.length > 0) {
    throw new HoldfastError('NAME_NEEDED', 'cannot choose a supervisor: several run', {
      hint: `give one of them with --name: ${running.join(', ')}`,
      exitCode: EXIT.usage,
    });
  }
  return new Connection(only, controlSocketPath(dir, only));
}

function requestFor(action: Action): readonly [verb: string, body?: unknown] {
  if (typeof action === 'string') return [action];
  return 'scale' in action ? ['scale', { change: action.scale }] : ['reload', action.reload];
}

/** A running supervisor. Each call makes a connection of its own. */
export class Connection {
  readonly name: string;
  readonly #socketPath: string;

  constructor(name: string, socketPath: string) {
    this.name = name;
    this.#socketPath = socketPath;
  }

  /** @throws HoldfastError NOT_ANSWERING when the answer takes longer than `timeoutMs` */
  async status(timeoutMs = ANSWER_TIMEOUT_MS): Promise<SupervisorStatus> {
    try {
      return await fetchStatus(this.#socketPath, timeoutMs);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const reason = code ?? message;
      throw new HoldfastError('NOT_ANSWERING', `cannot read the status of ${this.name}: ${reason}`, {
        hint: 'it may be stopped or very busy; look at its process',
        cause,
      });
    }
  }

  /**
   * Asks for something and waits for its end.
   *
   * @throws HoldfastError CONNECTION_LOST when the supervisor goes away before the result is known; REFUSED when it
   *   does not take the request
   */
  async perform(action: Action, onProgress: (line: ProgressLine) => void): Promise<ResultLine> {
    const [verb, body] = requestFor(action);
    let result: ResultLine | null = null;
    let timer: NodeJS.Timeout | undefined;
    try {
      const response = await exchange(this.#socketPath, { method: 'POST', path: `/${verb}`, body });
      await this.#refuseUnlessOk(verb, response);
      for await (const text of readLines(response)) {
        const line = JSON.parse(text) as ControlLine;
        if (line.type === 'progress') onProgress(line);
        else result = line;
        if (line.type === 'result') timer = setTimeout(() => response.destroy(), END_TIMEOUT_MS);
      }
    } catch (cause) {
      // Once the result is known, it does not matter how the connection ended.
      if (result === null) throw this.#lost(verb, cause);
    } finally {
      clearTimeout(timer);
    }
    if (result === null) throw this.#lost(verb);
    return result;
  }

  /**
   * Log lines as they come, each a JSON text, until the signal or the supervisor's end.
   *
   * @throws HoldfastError CONNECTION_LOST when the supervisor goes away without a good-bye
   */
  async *logs(signal?: AbortSignal): AsyncGenerator<string, void, void> {
    try {
      const response = await exchange(this.#socketPath, { method: 'GET', path: '/logs', signal });
      await this.#refuseUnlessOk('follow the logs of', response);
      yield* readLines(response);
    } catch (cause) {
      if (!signal?.aborted) throw this.#lost('follow the logs of', cause);
    }
  }

  async #refuseUnlessOk(verb: string, response: http.IncomingMessage): Promise<void> {
    if (response.statusCode === 200) return;
    throw new HoldfastError('REFUSED', `cannot ${verb} ${this.name}: ${errorIn(await readText(response))}`, {
      hint: 'the supervisor may be of another version: compare with holdfast status --json',
    });
  }

  #lost(verb: string, cause?: unknown): HoldfastError {
    if (cause instanceof HoldfastError) return cause;
    const reason = 'the connection to the supervisor was lost before the end was known';
    return new HoldfastError('CONNECTION_LOST', `cannot ${verb} ${this.name}: ${reason}`, {
      hint: `see whether it still runs: holdfast status --name ${this.name}`,
      cause,
    });
  }
}

/** Names whose control socket takes connections. */
async function runningNames(dir: string): Promise<string[]> {
  if (!(await checkRuntimeDir(dir))) return [];
  const names = (await readdir(dir, { withFileTypes: true }))
    .filter((file) => file.isSocket())
    .flatMap((file) => nameOfSocket(file.name) ?? []);
  const found = await Promise.all(names.map((name) => probeSocket(controlSocketPath(dir, name))));
  return names.filter((_name, index) => found[index] === 'listening').sort();
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
