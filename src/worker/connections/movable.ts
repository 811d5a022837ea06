/**
 * Whether a connection can be given to another worker at this moment: plain HTTP/1.1 between two requests, with nothing
 * buffered in this process and nothing that the application keeps on the socket.
 */
import type { Server } from 'node:net';
import type { Parser } from '../node/http.js';
import type { MovableSocket, ServerSocket } from '../node/socket.js';

/** Why a connection stays. */
export type Stay =
  /** It will be asked again after its answer, and each second once it rests. */
  | { readonly kind: 'busy' }
  /** It passes by itself: asked again in a moment. */
  | { readonly kind: 'soon' }
  /** For good; `reason` is for people. */
  | { readonly kind: 'never'; readonly reason: string };

/** What Node itself puts on a socket in the life of a connection. */
const NODES_OWN = new Set([
  ...[
    '_paused',
    'timeout',
    '_httpMessage',
    '_peername',
    '_sockname',
    '_hadError',
    'parser',
    '_closeAfterHandlingError',
  ],
  ...['on', 'addListener', 'prependListener', 'setEncoding', '@kHandle', '@kResourceStore', '@async_hooks'],
  ...['@async_context_frame', '@kBytesRead', '@kBytesWritten'],
]);

/** What somebody gives another meaning would be lost on the way, wherever it was set. */
const METHODS = [
  ...['remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort', '_getpeername', 'address'],
  ...['write', 'end', 'destroy', 'emit', 'push', 'unshift'],
] as const;

export function nameOf(key: string | symbol): string {
  return typeof key === 'symbol' ? `@${key.description}` : key;
}

/**
 * @param isActive whether a parser is in the middle of a request
 * @param usual names of what the sockets of this server have from their beginning
 * @returns null where it can be moved now
 */
export function whyStays(
  socket: MovableSocket,
  isActive: (parser: object) => boolean,
  usual: ReadonlySet<PropertyKey>,
): Stay | null {
  const { _handle: handle } = socket;
  const parser = socket.parser as Parser | null | undefined;
  if (!handle || handle.fd < 0 || socket.destroyed) return never('it has ended');
  if (handle.constructor.name !== 'TCP' || socket.encrypted) return never('it is not plain TCP');
  if (!parser) return never('it is not HTTP/1.1');
  if (!socket.readable || !socket.writable || socket.writableEnded) return never('it is ending');
  if (socket._httpMessage) return { kind: 'busy' };
  if (handle.bytesRead > 0 && isActive(parser)) return { kind: 'busy' };
  const own = foreignProperty(socket, usual);
  if (own !== undefined) return never(`the application keeps ${own} on the socket`);
  if ((socket.server as { maxRequestsPerSocket?: number } | undefined)?.maxRequestsPerSocket) {
    return never('the server counts the requests of a socket');
  }
  if (socket.writableLength > 0 || handle.writeQueueSize > 0) return { kind: 'soon' };
  if (!parser._consumed) return never('the application reads the socket itself');
  if (socket.readableLength > 0 || socket._paused) return { kind: 'soon' };
  return null;
}

/** The same of a conversation that is no HTTP, whose application passes its state on. */
export function whyConversationStays(socket: MovableSocket): Stay | null {
  const { _handle: handle } = socket;
  if (!handle || handle.fd < 0 || socket.destroyed) return never('it has ended');
  if (handle.constructor.name !== 'TCP' || socket.encrypted) return never('it is not plain TCP');
  if (!socket.readable || !socket.writable || socket.writableEnded) return never('it is ending');
  const isQuiet = socket.writableLength === 0 && handle.writeQueueSize === 0 && socket.readableLength === 0;
  return isQuiet ? null : { kind: 'soon' };
}

function never(reason: string): Stay {
  return { kind: 'never', reason };
}

function foreignProperty(socket: MovableSocket, usual: ReadonlySet<PropertyKey>): string | undefined {
  for (const key of Reflect.ownKeys(socket)) {
    if (!usual.has(key) && !NODES_OWN.has(nameOf(key))) return nameOf(key);
  }
  return METHODS.find((name) => Object.hasOwn(socket, name));
}

/** How many sockets of a server are looked at. */
const SAMPLES = 8;

/** What the first sockets of each server have on them once their `connection` listeners have run: those set it anew elsewhere. */
export class UsualProperties {
  readonly #names = new WeakMap<Server, Set<PropertyKey>>();
  readonly #wanted = new Map<Server, number>();

  watch(server: Server): void {
    if (this.#names.has(server)) return;
    this.#names.set(server, new Set());
    this.#wanted.set(server, SAMPLES);
  }

  /** To be called for each socket that is accepted, before the application hears of it. */
  accepted(socket: ServerSocket): void {
    if (this.#wanted.size === 0) return;
    const { server } = socket;
    const wanted = server && this.#wanted.get(server);
    if (server === undefined || wanted === undefined) return;
    if (wanted > 1) this.#wanted.set(server, wanted - 1);
    else this.#wanted.delete(server);
    queueMicrotask(() => {
      for (const key of Reflect.ownKeys(socket)) this.#names.get(server)?.add(key);
    });
  }

  of(server: Server): ReadonlySet<PropertyKey> {
    return this.#names.get(server) ?? new Set();
  }
}
