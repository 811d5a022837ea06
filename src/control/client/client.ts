/**
 * The command line's side of the control API: speaks to one supervisor.
 *
 * Must stay light: `holdfast status` loads this and little else.
 */
import { HoldfastError } from '../../errors.js';
import type {
  ControlLine,
  DescribeOptions,
  Description,
  InspectOptions,
  LeaveOptions,
  ProfileOptions,
  ReloadOptions,
  UpgradeOptions,
} from '../../protocol/control.js';
import type { SupervisorEvent } from '../../protocol/events.js';
import type { LogQuery } from '../../protocol/logs.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { checkDescription } from '../options/describe-options.js';
import { logQueryText } from '../options/log-query.js';
import { readEvents } from '../server-sent-events.js';
import { type Answer, checkStatus, exchange, fetchStatus, readLines, readText, refusalIn } from './exchange.js';

/** How long a supervisor has for its status. */
export const ANSWER_TIMEOUT_MS = 5_000;
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
        hint: 'it may be stopped or very busy: look at its process, or try again',
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
