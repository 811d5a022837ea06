/**
 * The answer to a request that takes its time: its progress as it comes, then its result. As server-sent events, or as lines of
 * JSON for a command line of before the API had versions.
 */
import type { ServerResponse } from 'node:http';
import type { ControlLine, ControlResult } from '../../protocol/control.js';
import { LineStream } from '../line-stream.js';
import { EVENT_STREAM, eventText, HEARTBEAT, HEARTBEAT_MS } from '../server-sent-events.js';

export type AnswerFormat = 'events' | 'lines';

export class ProgressStream {
  readonly #stream: LineStream;
  readonly #format: AnswerFormat;
  readonly #beat: NodeJS.Timeout | undefined;
  #id = 0;

  constructor(response: ServerResponse, format: AnswerFormat) {
    this.#format = format;
    const describeDropped = (dropped: number) =>
      this.#text({ type: 'progress', message: 'progress lines dropped', fields: { dropped } });
    this.#stream = new LineStream(response, describeDropped, format === 'events' ? EVENT_STREAM : undefined);
    if (format === 'lines') return;
    this.#beat = setInterval(() => this.#stream.write(HEARTBEAT), HEARTBEAT_MS).unref();
    response.once('close', () => clearInterval(this.#beat));
  }

  progress(line: ControlLine & { type: 'progress' }): void {
    this.#stream.write(this.#text(line));
  }

  /** The result, after which the stream stays open. */
  conclude(result: ControlResult): void {
    this.#stream.conclude(this.#text(asLine(result)));
  }

  /** @param result where it has not been told yet */
  end(result?: ControlResult): void {
    clearInterval(this.#beat);
    this.#stream.end(result && this.#text(asLine(result)));
  }

  #text(line: ControlLine): string {
    if (this.#format === 'lines') return JSON.stringify(line);
    const { type, ...data } = line;
    this.#id += 1;
    return eventText(type, data, this.#id);
  }
}

function asLine({ ok, message, reason, changes, file, release }: ControlResult): ControlLine {
  const more = {
    ...(changes && { changes }),
    ...(file !== undefined && { file }),
    ...(release !== undefined && { release }),
  };
  return { type: 'result', ok, message, reason, ...more };
}
