/**
 * How an answer that has no end of its own is ended: after what its reader takes for a whole, not inside.
 *
 * The application sees what it would see had the client gone: `close`, and what it writes then goes nowhere. Server-sent
 * events are finished properly, for EventSource connects again, with the id of the last event that it had. Any other
 * answer might look complete and not be: its last chunk is whole, but the chunk that says "the end" does not come.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { BodyReader, type Unit } from './stream-body.js';

export interface StreamEnd {
  /** Until then it is only looked at, so that it is known where it may end; by the clock of `performance.now()`, as all. */
  readonly from?: number;
  /** When it is ended in any case. */
  readonly latestAt: number;
  /** What is ended as incomplete is closed then, and not at once: until then it counts as open. */
  readonly closeAt?: number;
  /** The connection stays open for the next request; only with an EventSource. */
  readonly keepOpen?: boolean;
}

/** The fields that Node keeps for itself. */
interface Internals {
  readonly _header?: string | null;
  readonly _headerSent?: boolean;
  _last?: boolean;
  _send?(data: string | Uint8Array, encoding?: BufferEncoding | null, ...rest: unknown[]): boolean;
}
type Answer = ServerResponse<IncomingMessage> & { chunkedEncoding: boolean };

/** A silence is long enough when it is this part of what is left of the time. */
const SILENCE = 1 / 4;
const EVENTS = /^text\/event-stream\b/i;
const LINES = /^application\/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|json-seq|stream\+json)\b/i;
/** Those whose last bytes tell that all that was written so far has been given out. */
const FLUSHED = /^(?:x-)?gzip$|^deflate$/i;

/** The end of the body in chunks: RFC 9112, section 7.1. */
const LAST_CHUNK = '0\r\n\r\n';

/**
 * Whether the answer is one to an EventSource, which connects again by itself and asks for what it has missed. Its requests
 * are GET (HTML, section 9.2.2); events that answer a POST are mostly an answer that ends by itself.
 */
export function isEventSource(answer: ServerResponse): boolean {
  return answer.req?.method === 'GET' && isStream(answer) && EVENTS.test(field(answer, 'content-type'));
}

/** Whether the answer is under way and of no length that was told: such a one may be left with `leaveStream`. */
export function isStream(answer: ServerResponse): boolean {
  const { _headerSent: begun } = answer as Internals;
  return begun === true && !answer.writableEnded && !answer.destroyed && field(answer, 'content-length') === '';
}

/** To be called once, for an answer of HTTP/1.1: when it is its turn (EventSource), or shortly before the drain ends. */
export function leaveStream(answer: ServerResponse, shutdown: StreamEnd): void {
  const { from = 0, latestAt } = shutdown;
  const { socket } = answer;
  const { _send: send } = answer as Internals;
  const unit = unitOf(answer);
  if (socket === null || unit === undefined || typeof send !== 'function') return;
  const body = new BodyReader(unit, (answer as Answer).chunkedEncoding);
  let writtenAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let looking = false;

  /** In the turn after: what the application writes in one go stays together. */
  const look = () => {
    if (looking) return;
    looking = true;
    setImmediate(() => {
      looking = false;
      if (answer.writableEnded || answer.destroyed || socket.destroyed) {
        restore();
        return;
      }
      const now = performance.now();
      const isWhole = body.isWhole && !isCorked(answer);
      if (now >= latestAt || (isWhole && now >= wholeAt())) {
        restore();
        if (isWhole && isEventSource(answer)) endEvents(answer, socket, shutdown);
        else cutOff(answer, socket, shutdown);
      } else expect();
    });
  };
  /** Of an answer that is silent from the beginning it is not known that it is whole: the longer it is, the more likely. */
  const wholeAt = () => Math.max(from, body.hasUnits ? writtenAt : (writtenAt + SILENCE * latestAt) / (1 + SILENCE));
  const expect = () => {
    clearTimeout(timer);
    const lookAt = body.isWhole ? Math.min(wholeAt(), latestAt) : latestAt;
    timer = setTimeout(look, Math.max(0, lookAt - performance.now()));
    timer.unref();
  };
  const restore = () => {
    clearTimeout(timer);
    delete (answer as Internals)._send;
  };
  // All ways to write go through here, also those of middleware that keeps the methods which it has replaced.
  (answer as Internals)._send = function observed(this: Answer, data, encoding, ...rest) {
    const more = Reflect.apply(send, this, [data, encoding, ...rest]) as boolean;
    body.read(data, encoding);
    writtenAt = performance.now();
    if (body.isWhole && writtenAt >= wholeAt()) look();
    else expect();
    return more;
  };
  if (latestAt <= performance.now()) look();
  else expect();
}

/** What must not be cut into; undefined where it cannot be told. */
function unitOf(answer: ServerResponse): Unit | undefined {
  if (!isStream(answer)) return undefined;
  const type = field(answer, 'content-type');
  const encoding = field(answer, 'content-encoding');
  if (encoding !== '' && !/^identity$/i.test(encoding)) {
    if (!EVENTS.test(type) && !LINES.test(type)) return 'chunk';
    return FLUSHED.test(encoding) ? 'flush' : undefined;
  }
  if (EVENTS.test(type)) return 'event';
  return LINES.test(type) ? 'line' : 'chunk';
}

/** From the head as it was sent: what `writeHead` is given can be read nowhere else. */
function field(answer: ServerResponse, name: string): string {
  const { _header: head } = answer as Internals;
  return new RegExp(`^${name}:[ \\t]*([^\\r\\n]*?)[ \\t]*\\r?$`, 'im').exec(head ?? '')?.[1] ?? '';
}

function isCorked(answer: ServerResponse): boolean {
  return answer.writableCorked > 0;
}

function endEvents(answer: ServerResponse, socket: Socket, { keepOpen = false }: StreamEnd): void {
  if (keepOpen) {
    answer.end();
    // Until the answer is out it would be an error to write more.
    answer.destroyed = true;
    return;
  }
  if ((answer as Answer).chunkedEncoding) socket.write(LAST_CHUNK);
  sendNoMore(answer);
  // The socket closes when all that was written is out; then the application hears of it as of any client that has gone.
  socket.destroySoon();
}

function cutOff(answer: ServerResponse, socket: Socket, { closeAt = 0 }: StreamEnd): void {
  sendNoMore(answer);
  const close = () => socket.destroySoon();
  const now = performance.now();
  if (closeAt > now) setTimeout(close, closeAt - now).unref();
  else close();
}

/** As Node does it for a connection that is closed already. */
function sendNoMore(answer: ServerResponse): void {
  (answer as Internals)._send = () => false;
}
