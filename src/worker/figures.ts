/**
 * What a worker tells of its answers, so that a canary can be compared with its elders: how many there were, how many were
 * errors of the server, and how long they took. Counted since the process began, on every request: as cheap as can be.
 *
 * HTTP/2 is counted where Node tells of its streams (22.19 and 24.4 on); before that only its HTTP/1.1 connections are.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { WorkerFigures } from '../protocol.js';
import { isHealthConnection } from './health.js';

/** Each is a quarter of a doubling longer than the one before it, from 0.1 ms: the last begins at about 100 s. */
const BUCKETS = 80;
const SHORTEST_MS = 0.1;
const STEPS = 4;

const BEGAN_AT = Symbol('began at');
type Timed = { [BEGAN_AT]?: number };
interface Http2Stream extends Timed {
  readonly session?: object;
  readonly sentHeaders?: Record<string, unknown>;
}

export class Figures {
  /** HTTP requests that began, those of health left out. */
  requests = 0;
  #answers = 0;
  #serverErrors = 0;
  readonly #latency: number[] = new Array(BUCKETS).fill(0);

  install(): void {
    diagnosticsChannel.subscribe('http.server.request.start', (message) => {
      const { response } = message as { response: ServerResponse & Timed };
      if (isHealthConnection(response.req.socket)) return;
      this.requests += 1;
      response[BEGAN_AT] = performance.now();
    });
    diagnosticsChannel.subscribe('http.server.response.finish', (message) => {
      const { response } = message as { response: ServerResponse & Timed };
      this.#finished(response, response.statusCode);
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
    return { answers: this.#answers, serverErrors: this.#serverErrors, latency: [...this.#latency] };
  }

  #finished(timed: Timed, status: number): void {
    const beganAt = timed[BEGAN_AT];
    if (beganAt === undefined) return;
    this.#answers += 1;
    if (status >= 500) this.#serverErrors += 1;
    const bucket = Math.ceil(STEPS * Math.log2((performance.now() - beganAt) / SHORTEST_MS));
    const at = Math.min(BUCKETS - 1, Math.max(0, bucket));
    this.#latency[at] = (this.#latency[at] ?? 0) + 1;
  }
}
