/**
 * What Node's HTTP/1.1 server keeps for itself and the hand-over of connections has to touch: found on live objects, tried
 * once by `tryOut`. A Node in which one of them is missing hands nothing over.
 *
 * The names are those of `lib/_http_server.js`, `lib/net.js` and `src/node_http_parser.cc`, Node 20 to 26.
 */
import http from 'node:http';
import type { Server } from 'node:net';
import { MemorySocket } from './memory-stream.js';
import type { ServerSocket } from './socket.js';
import { symbolOf } from './symbols.js';

/** Where the parser calls back: numbers that its class knows. */
interface ParserClass {
  readonly kOnHeadersComplete?: number;
  readonly kOnMessageComplete?: number;
}

export interface Parser {
  readonly constructor: ParserClass;
  readonly socket?: ServerSocket | null;
  /** It reads straight from the handle, past the stream. */
  _consumed: boolean;
  _headers: unknown[];
  _url: string;
  onIncoming: (...args: unknown[]) => unknown;
  /** @returns how many bytes it has taken, or an error */
  execute(bytes: Buffer): number | Error;
  unconsume(): void;
  [callback: number]: ((...args: unknown[]) => unknown) | null | undefined;
}

export interface KeepAlive {
  readonly keepAliveTimeout?: number;
  /** Newer versions have it. */
  readonly keepAliveTimeoutBuffer?: number;
}

/** What Node adds to what it promises, where that cannot be set. */
const BUFFER_MS = 1_000;

/** How long Node keeps a connection between two requests, in milliseconds; 0 for as long as it likes. */
export function keptMs({ keepAliveTimeout = 0, keepAliveTimeoutBuffer = BUFFER_MS }: KeepAlive): number {
  return keepAliveTimeout > 0 ? keepAliveTimeout + keepAliveTimeoutBuffer : 0;
}

/** The server's list of its parsers, kept by the parser itself. */
export interface ConnectionsList {
  all(): Parser[];
  /** Those in the middle of a request, or that owe their first one. */
  active(): Parser[];
  /** Those between two requests. */
  idle(): Parser[];
}

/** A whole request that nobody is to see. */
const PRIMER = Buffer.from('GET / HTTP/1.1\r\nHost: holdfast\r\n\r\n');

export function connectionsOf(server: Server): ConnectionsList | undefined {
  const symbol = symbolOf(server, 'http.server.connections');
  const list = symbol && (server as unknown as Record<symbol, Partial<ConnectionsList> | undefined>)[symbol];
  const whole = [list?.all, list?.active, list?.idle].every((method) => typeof method === 'function');
  return whole ? (list as ConnectionsList) : undefined;
}

/**
 * Has the parser count a connection that has just come among the idle ones, not among those that owe a request: Node would
 * answer 408 to one that is silent for `headersTimeout`.
 *
 * @returns false where this Node does not let us; the connection works all the same
 */
export function prime(parser: Parser): boolean {
  const { kOnHeadersComplete: head, kOnMessageComplete: complete } = parser.constructor;
  if (head === undefined || complete === undefined) return false;
  const [onHead, onComplete] = [parser[head], parser[complete]];
  if (typeof onHead !== 'function' || typeof onComplete !== 'function') return false;
  parser[head] = () => 0;
  parser[complete] = () => {};
  try {
    return parser.execute(PRIMER) === PRIMER.length;
  } finally {
    parser[head] = onHead;
    parser[complete] = onComplete;
    parser._headers = [];
    parser._url = '';
  }
}

/**
 * Tries all that with a server that nobody sees. No request is emitted, so no library that watches requests notices.
 *
 * @returns what is missing; null where nothing is
 */
export function tryOut(): string | null {
  const [theirs, ours] = MemorySocket.pair(undefined);
  const server = new http.Server();
  try {
    // That is when Node makes the list, and a timer with it, which `close` takes away.
    server.emit('listening');
    return tryWith(server, theirs as unknown as ServerSocket);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    theirs.destroy();
    ours.destroy();
    server.close();
  }
}

function tryWith(server: http.Server, socket: ServerSocket): string | null {
  server.emit('connection', socket);
  const list = connectionsOf(server);
  if (list === undefined) return 'the list of connections';
  const parser = socket.parser as Parser | null | undefined;
  if (parser == null || typeof parser._consumed !== 'boolean') return "a connection's parser";
  if (typeof parser.unconsume !== 'function' || typeof parser.onIncoming !== 'function') return "the parser's methods";
  if (!list.all().includes(parser) || !list.active().includes(parser)) return "a new connection's place in the list";
  if (!prime(parser)) return "the parser's callbacks";
  if (list.active().includes(parser) || !list.idle().includes(parser)) return 'the place of an idle connection';
  // It must read the next request as if nothing had been.
  const head = parser.constructor.kOnHeadersComplete ?? -1;
  const onHead = parser[head];
  let seen: readonly unknown[] = [];
  parser[head] = (...args) => {
    seen = args;
    return 2;
  };
  const count = parser.execute(Buffer.from('GET /next HTTP/1.1\r\nHost: holdfast\r\n\r\n'));
  parser[head] = onHead ?? null;
  return typeof count === 'number' && seen.includes('/next') ? null : 'the request after the first';
}
