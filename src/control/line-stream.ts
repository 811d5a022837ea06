/**
 * Newline-delimited JSON, or other text in lines, to one client, never blocking and never growing without bound.
 *
 * A client that reads too slowly loses lines; it is told how many as soon as it has caught up.
 */
import type { ServerResponse } from 'node:http';

/** What may wait for a client that does not read. */
const WAITING_LIMIT_BYTES = 1024 * 1024;

export class LineStream {
  readonly #response: ServerResponse;
  readonly #describeDropped: (count: number) => string;
  #dropped = 0;

  /** @param describeDropped makes the line that stands for `count` lost ones */
  constructor(
    response: ServerResponse,
    describeDropped: (count: number) => string,
    contentType = 'application/x-ndjson',
  ) {
    this.#response = response;
    this.#describeDropped = describeDropped;
    response.on('drain', () => this.#tellDropped());
    response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
    response.flushHeaders();
  }

  /** @param line without its newline */
  write(line: string): void {
    if (this.#dropped > 0 || this.#response.writableLength > WAITING_LIMIT_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#put(line);
  }

  /** @param line told whatever was dropped before */
  end(line?: string): void {
    this.#tellDropped();
    if (line !== undefined) this.#put(line);
    if (!this.#response.destroyed) this.#response.end();
  }

  /** Like `end`, but leaves the stream open. */
  conclude(line: string): void {
    this.#tellDropped();
    this.#put(line);
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    const line = this.#describeDropped(this.#dropped);
    this.#dropped = 0;
    this.#put(line);
  }

  #put(line: string): void {
    if (!this.#response.destroyed && !this.#response.writableEnded) this.#response.write(`${line}\n`);
  }
}
