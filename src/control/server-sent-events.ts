/**
 * Server-sent events: their text, and the reading of it. Pure.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

export const EVENT_STREAM = 'text/event-stream';
/** A comment, which readers pass over: whoever is between must not take the connection for dead. */
export const HEARTBEAT = ':\n';
export const HEARTBEAT_MS = 15_000;

export interface SentEvent {
  readonly event: string;
  /** null where it has none. */
  readonly id: string | null;
  readonly data: string;
}

/** Ends with a newline; another one ends the event. @param data as JSON, in which no line ends */
export function eventText(event: string, data: unknown, id: number): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n`;
}

/** @param lines without their newlines. An event that has not ended is none */
export async function* readEvents(lines: AsyncIterable<string>): AsyncGenerator<SentEvent, void, void> {
  let event = '';
  let id: string | null = null;
  let data: string[] = [];
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0) yield { event: event || 'message', id, data: data.join('\n') };
      event = '';
      id = null;
      data = [];
      continue;
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    else if (field === 'id') id = value;
    else if (field === 'data') data.push(value);
  }
}
