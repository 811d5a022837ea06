/**
 * What a worker tells of its answers, so that a canary can be compared with the others: how many there were, how many were
 * errors of the server, and how long they took. Counted since the process began, on every request: as cheap as can be.
 *
 * HTTP/2 is counted where Node tells of its streams (22.19 and 24.4 on); before that only its HTTP/1.1 connections are.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { WorkerFigures } from '../../protocol/measured.js';
import { isHealthConnection } from './health.js';
import { isDue, isMarked } from './stamp.js';

/**
 * Each is a quarter of a doubling longer than the one before it, from 2^-13 s (0.12 ms): the last begins at about 90 s. These are
 * the bounds of Prometheus' native histograms of schema 2.
 */
const BUCKETS = 80;
const SHORTEST_MS = 1000 / 2 ** 13;
const STEPS = 4;

const BEGAN_AT = Symbol('began at');
type Timed = { [BEGAN_AT]?: number };
/** `_last`: Node closes the connection after it. `shouldKeepAlive` may say otherwise than a header of the application. */
type Answer = ServerResponse & Timed & { readonly _last?: unknown };
interface Http2Stream extends Timed {
  readonly session?: object;
  readonly sentHeaders?: Record<string, unknown>;
}

export class Figures {
  /** HTTP requests that began, those of health left out. */
  requests = 0;
  /** Answers by the first digit of their status; that of what had none is 0. */
  readonly statuses: number[] = new Array(6).fill(0);
  /** How long all answers took together, in milliseconds. */
  tookMs = 0;
  readonly #latency: number[] = new Array(BUCKETS).fill(0);
  /**
   * Told of each answer over HTTP/1.1, but on connections that are to be looked at again in any case. By a call from here, as a
   * subscriber of its own costs a process that seldom runs more than all that it does. Must not throw.
   *
   * `isLast`: the connection is closed after it.
   */
  onAnswered: ((socket: object, isLast: boolean) => void) | undefined;

  install(): void {
    diagnosticsChannel.subscribe('http.server.request.start', (message) => {
      const { response } = message as { response: ServerResponse & Timed };
      const { socket } = response.req;
      if (!isMarked(socket) && isHealthConnection(socket)) return;
      this.requests += 1;
      response[BEGAN_AT] = performance.now();
    });
    diagnosticsChannel.subscribe('http.server.response.finish', (message) => {
      const { response, socket } = message as { response: Answer; socket?: object | null };
      this.#finished(response, response.statusCode);
      if (this.onAnswered !== undefined && socket != null && !isDue(socket))
        this.onAnswered(socket, response._last === true);
    });
    diagnosticsChannel.subscribe('http2.server.stream.start', (message) => {
      const { stream } = message as { stream: Http2Stream };
      if (isHealthConnection(stream.session)) return;
      stream[BEGAN_AT] = performance.now();
    });
    diagnosticsChannel.subscribe('http2.server.stream.close', (message) => {
      const { stream } = message as { stream: Http2Stream };
      this.#finished(stream, Number(stream.sentHeaders?.[':status'] ?? 0));
    });
  }

  read(): WorkerFigures {
    const answers = this.statuses.reduce((sum, count) => sum + count, 0);
    return { answers, serverErrors: this.statuses[5] ?? 0, latency: [...this.#latency] };
  }

  #finished(timed: Timed, status: number): void {
    const beganAt = timed[BEGAN_AT];
    if (beganAt === undefined) return;
    // An application may send any number of three digits.
    const digit = status >= 500 ? 5 : Math.trunc(status / 100);
    this.statuses[digit] = (this.statuses[digit] ?? 0) + 1;
    const took = performance.now() - beganAt;
    this.tookMs += took;
    const bucket = Math.ceil(STEPS * Math.log2(took / SHORTEST_MS));
    const at = Math.min(BUCKETS - 1, Math.max(0, bucket));
    this.#latency[at] = (this.#latency[at] ?? 0) + 1;
  }
}
