/**
 * What happens in the supervisor, as server-sent events for one reader.
 *
 * Must never wait for it: a reader that does not read is told so and cut off, and connects again for how things are then.
 */
import type { ServerResponse } from 'node:http';
import type { ControlTarget } from '../../protocol/control.js';
import { EVENT_STREAM, eventText, HEARTBEAT, HEARTBEAT_MS } from '../server-sent-events.js';

/** What may wait for a reader: some thousand events. */
const WAITING_LIMIT_BYTES = 256 * 1024;
/** How long the last word waits to be read. */
const LAST_WORD_MS = 5_000;

/** @returns ends the stream */
export function feedEvents(response: ServerResponse, follow: ControlTarget['followEvents']): () => void {
  response.writeHead(200, { 'content-type': EVENT_STREAM, 'cache-control': 'no-store' });
  response.flushHeaders();
  let ended = false;
  let lastId = 0;
  let unfollow = () => {};
  const end = () => {
    if (ended) return;
    ended = true;
    clearInterval(beat);
    unfollow();
    if (!response.destroyed) response.end();
  };
  const put = (text: string) => {
    if (ended || response.destroyed) return;
    if (response.writableLength <= WAITING_LIMIT_BYTES) {
      response.write(`${text}\n`);
      return;
    }
    const reason = `more than ${WAITING_LIMIT_BYTES / 1024} KiB were not read: connect again for a snapshot`;
    response.write(`${eventText('cutOff', { reason }, lastId)}\n`);
    end();
    const late = setTimeout(() => response.destroy(), LAST_WORD_MS).unref();
    response.once('close', () => clearTimeout(late));
  };
  const beat = setInterval(() => put(HEARTBEAT), HEARTBEAT_MS).unref();
  response.once('close', end);
  unfollow = follow(({ id, type, ...data }) => {
    lastId = id;
    put(eventText(type, data, id));
  });
  // It may have been cut off by the first event already.
  if (ended) unfollow();
  return end;
}
