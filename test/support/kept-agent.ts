/** A client's connection, kept between requests for as long as the server promises and not used any more after that. */
import http from 'node:http';
import type { Socket } from 'node:net';

/** Only an agent with a time of its own heeds `Keep-Alive: timeout=5`, if that is shorter. No answer takes so long here. */
const OWN_TIMEOUT_MS = 60_000;

/**
 * Node's agent has a timer for what the server promises. In a process that does not come to it, be it for want of a processor, the
 * next request may be sent before that timer runs: over a connection that the server has closed, as it said that it would.
 */
export class KeptAgent extends http.Agent {
  /** The server counts from its answer, which was after the request and before it was read here. */
  #askedAt = 0;
  #promisedUntil = Number.POSITIVE_INFINITY;

  constructor() {
    super({ keepAlive: true, maxSockets: 1, timeout: OWN_TIMEOUT_MS });
    // Node's own listener comes before: the socket's time is what it has read in the answer.
    this.on('free', ({ timeout }: Socket) => {
      this.#promisedUntil = timeout ? this.#askedAt + timeout : Number.POSITIVE_INFINITY;
    });
  }

  /** To be called before each request. */
  giveUpLate(): void {
    this.#askedAt = performance.now();
    if (this.#askedAt > this.#promisedUntil) this.destroy();
    this.#promisedUntil = Number.POSITIVE_INFINITY;
  }
}
