/**
 * The command line's side of the control API: finds supervisors in the runtime folder and speaks to them.
 *
 * Must stay light: `holdfast status` loads this and little else.
 */

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { EXIT, HoldfastError } from '../errors.js';
import { nearest } from '../nearest.js';
import type {
  ControlLine,
  DescribeOptions,
  Description,
  InspectOptions,
  LeaveOptions,
  LogQuery,
  ProfileOptions,
  ReloadOptions,
  SupervisorEvent,
  SupervisorStatus,
  UpgradeOptions,
} from '../protocol.js';
import { checkDescription } from './describe-options.js';
import { type Answer, checkStatus, exchange, fetchStatus, readLines, readText, refusalIn } from './exchange.js';
import { logQueryText } from './log-query.js';
import { checkRuntimeDir } from './runtime-dir.js';
import { readEvents } from './server-sent-events.js';
import { absence, controlSocketPath, nameOfSocket, probeSocket } from './socket-path.js';

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
  | { readonly profile: ProfileOptions }
  | { readonly inspect: InspectOptions }
  | { readonly upgrade: UpgradeOptions }
  | { readonly leave: LeaveOptions }
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
    throw new HoldfastError('NAME_NEEDED', 'cannot choose a supervisor: several run', {
      hint: `give one of them with --name: ${running.join(', ')}`,
      exitCode: EXIT.usage,
    });
  }
  return new Connection(only, controlSocketPath(dir, only));
}

function requestFor(action: Action): readonly [verb: string, body?: unknown] {
  if (typeof action === 'string') return [action];
  if ('scale' in action) return ['scale', { change: action.scale }];
  if ('reload' in action) return ['reload', action.reload];
  if ('upgrade' in action) return ['upgrade', action.upgrade];
  if ('leave' in action) return ['leave', action.leave];
  return 'profile' in action ? ['profile', action.profile] : ['inspect', action.inspect];
}

/** A running supervisor. Each call makes a connection of its own. */
export class Connection {
  readonly name: string;
  readonly #socketPath: string;

  /** The control socket's path. */
  get socketPath(): string {
    return this.#socketPath;
  }

  constructor(name: string, socketPath: string) {
    this.name = name;
    this.#socketPath = socketPath;
  }

  /**
   * @param figures whether those of the workers are wanted, too
   * @throws HoldfastError NOT_ANSWERING when the answer takes longer than `timeoutMs`
   */
  async status(timeoutMs = ANSWER_TIMEOUT_MS, figures = false): Promise<SupervisorStatus> {
    try {
      return await fetchStatus(this.#socketPath, timeoutMs, figures);
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
   * Asks for something and waits for its end. It goes on when the signal ends the waiting.
   *
   * @throws HoldfastError CONNECTION_LOST when the supervisor goes away before the result is known; REFUSED when it
   *   does not take the request
   */
  async perform(action: Action, onProgress: (line: ProgressLine) => void, signal?: AbortSignal): Promise<ResultLine> {
    const [verb, body] = requestFor(action);
    let result: ResultLine | null = null;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await exchange(this.#socketPath, { method: 'POST', path: `/${verb}`, body, signal });
      await this.#refuseUnlessOk(verb, answer);
      for await (const line of readControlLines(answer)) {
        if (line.type === 'progress') onProgress(line);
        else if (line.type === 'result') result = line;
        if (line.type === 'result') timer = setTimeout(() => answer.destroy(), END_TIMEOUT_MS);
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

  /** @throws HoldfastError REFUSED where there is no such worker; CONNECTION_LOST */
  async describe(options: DescribeOptions): Promise<Description> {
    try {
      const request = { method: 'POST', path: '/describe', body: options, timeoutMs: ANSWER_TIMEOUT_MS } as const;
      const answer = await exchange(this.#socketPath, request);
      await this.#refuseUnlessOk('describe', answer);
      const description = checkDescription(JSON.parse(await readText(answer)));
      checkStatus(description.status);
      return description;
    } catch (cause) {
      throw this.#lost('describe', cause);
    }
  }

  /**
   * Log lines as they come, each a JSON text, until the signal or the supervisor's end.
   *
   * @param query also those that have come already, where it says so: the first line is then a `LogHead`
   * @throws HoldfastError CONNECTION_LOST when the supervisor goes away without a good-bye
   */
  async *logs(signal?: AbortSignal, query?: LogQuery): AsyncGenerator<string, void, void> {
    try {
      const path = query === undefined ? '/logs' : `/logs?${logQueryText(query)}`;
      const answer = await exchange(this.#socketPath, { method: 'GET', path, signal });
      await this.#refuseUnlessOk('follow the logs of', answer);
      // It would follow them, whatever it is asked.
      if (answer.isOld && query !== undefined) {
        answer.destroy();
        throw new HoldfastError(
          'REFUSED',
          `cannot read the logs of ${this.name}: the supervisor is of another version`,
          {
            hint: 'compare with holdfast status --json',
          },
        );
      }
      yield* readLines(answer);
    } catch (cause) {
      if (!signal?.aborted) throw this.#lost('follow the logs of', cause);
    }
  }

  /**
   * What happens in the supervisor, until the signal or its end: how things are first, then each event.
   *
   * @throws HoldfastError CONNECTION_LOST when the supervisor goes away without a good-bye; REFUSED by one that knows no
   *   events yet; CUT_OFF for who reads too slowly
   */
  async *events(signal?: AbortSignal, unref = false): AsyncGenerator<SupervisorEvent, void, void> {
    const verb = 'follow the events of';
    try {
      const answer = await exchange(this.#socketPath, { method: 'GET', path: '/events', signal, unref });
      await this.#refuseUnlessOk(verb, answer);
      for await (const { event, id, data } of readEvents(readLines(answer))) {
        const fields = JSON.parse(data);
        if (event === 'cutOff') throw this.#cutOff(String(fields.reason));
        yield { id: Number(id), type: event, ...fields } as SupervisorEvent;
      }
    } catch (cause) {
      if (!signal?.aborted) throw this.#lost(verb, cause);
    }
  }

  async #refuseUnlessOk(verb: string, answer: Answer): Promise<void> {
    if (answer.statusCode === 200) return;
    const { error, hint } = refusalIn(await readText(answer));
    // The supervisor says that it cannot as well, without its name.
    throw new HoldfastError('REFUSED', `cannot ${verb} ${this.name}: ${error.replace(`cannot ${verb}: `, '')}`, {
      hint: hint ?? 'the supervisor may be of another version: compare with holdfast status --json',
    });
  }

  #cutOff(reason: string): HoldfastError {
    const hint = 'read the events as they come, and connect again';
    return new HoldfastError('CUT_OFF', `cannot follow the events of ${this.name}: ${reason}`, { hint });
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

/** What a request is answered with, of whatever version the supervisor is. */
async function* readControlLines(answer: Answer): AsyncGenerator<ControlLine, void, void> {
  const lines = readLines(answer);
  if (answer.isOld) {
    for await (const text of lines) yield JSON.parse(text) as ControlLine;
    return;
  }
  for await (const { event, data } of readEvents(lines)) yield { type: event, ...JSON.parse(data) } as ControlLine;
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
