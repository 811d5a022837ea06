/**
 * What the control API is asked, and its answers: one route each. Reads the body's options and passes them on to the target.
 */
import type http from 'node:http';
import { HoldfastError } from '../../errors.js';
import type { ControlLine, ControlResult, ControlTarget } from '../../protocol/control.js';
import { reasonOf } from '../lean-http.js';
import { DESCRIBE_BODY_ALLOWED, readDescribeOptions } from '../options/describe-options.js';
import { LEAVE_BODY_ALLOWED, readLeaveOptions } from '../options/leave-options.js';
import { readLogQuery } from '../options/log-query.js';
import { PROFILE_BODY_ALLOWED, readInspectOptions, readProfileOptions } from '../options/profile-options.js';
import { RELOAD_BODY_ALLOWED, readReloadOptions } from '../options/reload-options.js';
import { readUpgradeOptions, UPGRADE_BODY_ALLOWED } from '../options/upgrade-options.js';
import { BODY_HINT, refuse, sendJson } from './answer.js';
import { feedEvents } from './event-feed.js';
import { sendLogs } from './log-feed.js';
import { type AnswerFormat, ProgressStream } from './progress-stream.js';
import { WatchedStatus } from './watched-status.js';

/** Each may have a mebibyte that waits for it. */
const FOLLOWER_LIMIT = 16;

type Progress = (line: ControlLine & { type: 'progress' }) => void;
export type Route = { readonly method: 'GET' | 'POST'; readonly handle: Handler };
/** What is asked, beside the path. */
interface Asked {
  readonly body: unknown;
  readonly format: AnswerFormat;
  readonly query: URLSearchParams;
}
type Handler = (response: http.ServerResponse, asked: Asked) => void | Promise<void>;

export class Routes {
  readonly #target: ControlTarget;
  readonly #name: string;
  readonly #onHears: (response: http.ServerResponse) => void;
  /** What is there to be asked. */
  readonly byPath: ReadonlyMap<string, Route>;
  #followers = 0;
  #feeds = 0;
  /** Streams that a close has to end. */
  readonly #open = new Set<() => void>();
  readonly #watched = new WatchedStatus(() => this.#target.status(true));

  /**
   * @param onHears told when an answer begins that lasts: who has asked hears things as they come, which another program does not
   *   go on with
   */
  constructor(target: ControlTarget, name: string, onHears: (response: http.ServerResponse) => void) {
    this.#target = target;
    this.#name = name;
    this.#onHears = onHears;
    const perform =
      (run: (progress: Progress) => Promise<ControlResult>, untilClosed = false): Handler =>
      (response, { format }) =>
        this.#perform(response, format, run, untilClosed);
    this.byPath = new Map<string, Route>([
      ['/v1/status', { method: 'GET', handle: (response, { query }) => this.#status(response, query) }],
      ['/v1/logs', { method: 'GET', handle: (response, { query }) => this.#logs(response, query) }],
      ['/v1/events', { method: 'GET', handle: (response) => this.#events(response) }],
      ['/v1/describe', { method: 'POST', handle: (response, { body }) => this.#describe(response, body) }],
      ['/v1/profile', { method: 'POST', handle: (response, asked) => this.#profile(response, asked) }],
      ['/v1/inspect', { method: 'POST', handle: (response, asked) => this.#inspect(response, asked) }],
      ['/v1/reload', { method: 'POST', handle: (response, asked) => this.#reload(response, asked) }],
      ['/v1/promote', { method: 'POST', handle: perform((on) => target.promote(on)) }],
      ['/v1/abort', { method: 'POST', handle: perform((on) => target.abort(on)) }],
      ['/v1/restart', { method: 'POST', handle: perform((on) => target.restart(on)) }],
      ['/v1/stop', { method: 'POST', handle: perform((on) => target.stop(on), true) }],
      ['/v1/upgrade', { method: 'POST', handle: (response, asked) => this.#upgrade(response, asked) }],
      ['/v1/leave', { method: 'POST', handle: (response, asked) => this.#leave(response, asked) }],
      ['/v1/scale', { method: 'POST', handle: (response, asked) => this.#scale(response, asked) }],
    ]);
  }

  /** Those whose request has no answer yet are told so. */
  endAll(): void {
    for (const end of this.#open) end();
  }

  async #status(response: http.ServerResponse, query: URLSearchParams): Promise<void> {
    const isWatched = query.get('figures') === 'true';
    sendJson(response, 200, await (isWatched ? this.#watched.get() : this.#target.status()));
  }

  async #describe(response: http.ServerResponse, body: unknown): Promise<void> {
    const options = readDescribeOptions(body);
    if (options === null) {
      return refuse(response, 400, `cannot describe: the body ${DESCRIBE_BODY_ALLOWED}`, BODY_HINT);
    }
    try {
      sendJson(response, 200, await this.#target.describe(options));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      refuse(response, 422, error.message, `which there are: holdfast status --name ${this.#name}`);
    }
  }

  #profile(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readProfileOptions(body);
    if (options === null) {
      return refuse(response, 400, `cannot profile: the body ${PROFILE_BODY_ALLOWED}`, BODY_HINT);
    }
    const gone = goneOf(response);
    return this.#perform(response, format, (on) => this.#target.profile(options, on, gone));
  }

  #upgrade(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readUpgradeOptions(body);
    if (options === null) return refuse(response, 400, `cannot upgrade: the body ${UPGRADE_BODY_ALLOWED}`, BODY_HINT);
    return this.#perform(response, format, (on) => this.#target.upgrade(on, options));
  }

  #leave(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readLeaveOptions(body);
    if (options === null) return refuse(response, 400, `cannot leave: the body ${LEAVE_BODY_ALLOWED}`, BODY_HINT);
    return this.#perform(response, format, (on) => this.#target.leave(on, options), options.dryRun !== true);
  }

  #inspect(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readInspectOptions(body);
    if (options === null) {
      return refuse(response, 400, 'cannot inspect: the body must be like {"of":3}', BODY_HINT);
    }
    const gone = goneOf(response);
    return this.#perform(response, format, (on) => this.#target.inspect(options, on, gone));
  }

  #reload(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readReloadOptions(body);
    if (options !== null) return this.#perform(response, format, (on) => this.#target.reload(on, options));
    return refuse(response, 400, `cannot reload: the body ${RELOAD_BODY_ALLOWED}`, BODY_HINT);
  }

  #scale(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const change: unknown = typeof body === 'object' && body !== null && 'change' in body ? body.change : undefined;
    if (typeof change !== 'string' || !/^[+-]?\d{1,6}$/.test(change)) {
      const allowed = 'must be like {"change":"4"}, {"change":"+2"}, {"change":"-1"}';
      return refuse(response, 400, `cannot scale: the body ${allowed}`, BODY_HINT);
    }
    return this.#perform(response, format, (on) => this.#target.scale(change, on));
  }

  /** @param untilClosed the answer to a stop ends when the name is free again: who waits for it can start anew */
  async #perform(
    response: http.ServerResponse,
    format: AnswerFormat,
    run: (progress: Progress) => Promise<ControlResult>,
    untilClosed = false,
  ): Promise<void> {
    const stream = new ProgressStream(response, format);
    this.#onHears(response);
    let concluded = false;
    const end = (result: ControlResult) => {
      this.#open.delete(endUnanswered);
      stream.end(concluded ? undefined : result);
      concluded = true;
    };
    const endUnanswered = () => end({ ok: false, message: 'failed', reason: 'the supervisor ended before' });
    this.#open.add(endUnanswered);
    const result = await settled(run, (line) => {
      if (!concluded) stream.progress(line);
    });
    if (!this.#open.has(endUnanswered)) return;
    if (!untilClosed || !result.ok) return end(result);
    stream.conclude(result);
    concluded = true;
    response.once('close', () => this.#open.delete(endUnanswered));
  }

  #events(response: http.ServerResponse): void {
    this.#onHears(response);
    if (this.#feeds >= FOLLOWER_LIMIT) {
      const error = `cannot follow the events: ${FOLLOWER_LIMIT} follow them already`;
      refuse(response, 503, error, 'end one of them');
      return;
    }
    this.#feeds += 1;
    const end = feedEvents(response, (onEvent) => this.#target.followEvents(onEvent));
    this.#open.add(end);
    response.once('close', () => {
      this.#feeds -= 1;
      this.#open.delete(end);
    });
  }

  #logs(response: http.ServerResponse, params: URLSearchParams): void {
    const query = readLogQuery(params);
    if (typeof query === 'string') {
      refuse(response, 400, `cannot read the logs: ${query}`, 'correct the query', 'BAD_QUERY');
      return;
    }
    // Who only looks back is done in a moment.
    if (query.follow && this.#followers >= FOLLOWER_LIMIT) {
      refuse(response, 503, `cannot follow the logs: ${FOLLOWER_LIMIT} follow them already`, 'end one of them');
      return;
    }
    if (query.follow) {
      this.#onHears(response);
      this.#followers += 1;
      response.once('close', () => {
        this.#followers -= 1;
      });
    }
    const logs = sendLogs(response, { target: this.#target, name: this.#name, query, isAsked: params.has('lines') });
    if (logs === null) return;
    const end = () => {
      this.#open.delete(end);
      logs.end();
    };
    this.#open.add(end);
    response.once('close', end);
  }
}

/** Aborted when who has asked has gone. */
function goneOf(response: http.ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

async function settled(run: (progress: Progress) => Promise<ControlResult>, progress: Progress) {
  try {
    return await run(progress);
  } catch (error) {
    return { ok: false, message: 'failed', reason: reasonOf(error) } satisfies ControlResult;
  }
}
