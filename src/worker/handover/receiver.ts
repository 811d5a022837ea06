/**
 * Takes in the connections that a draining worker hands over: Node's own way to accept, with a connection that another
 * process has accepted before.
 */
import type { Server } from 'node:net';
import os from 'node:os';
import { hasSpokenElsewhere } from '../connections/first-word.js';
import { internals, type TcpHandle } from '../node/handle.js';
import { type KeepAlive, keptMs, type Parser, prime } from '../node/http.js';
import type { PipeHandle } from '../node/pipe.js';
import type { ServerSocket } from '../node/socket.js';
import { ownerOf } from '../node/symbols.js';
import { Link } from './link.js';
import type { Message } from './record.js';

const EPIPE = -os.constants.errno.EPIPE;

type Give = Extract<Message, { type: 'give' }>;

/** As much of an application's state is taken in for one connection. */
const MOST_STATE_BYTES = 64 * 1024;

export interface ReceiverOptions {
  /** The server that listens at that address now. */
  readonly serverAt: (address: string) => Server | undefined;
  /** This worker drains itself. */
  readonly isLeaving: () => boolean;
  /** Told of each connection that was taken, in the same turn. */
  readonly onTaken: () => void;
  /** The application's state of a connection that is no HTTP, before the application hears of it. */
  readonly onState: (handle: object, state: Buffer) => void;
  /** Says over this process's own channel that it has its end of the link. */
  readonly speak: (link: number) => void;
}

interface Incoming {
  readonly give: Give;
  readonly handle: TcpHandle;
  readonly pieces: Buffer[];
  missing: number;
}

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #links = new Map<number, Link>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** @param able whether this worker can take connections in @throws where it cannot be opened @returns false where this Node does not let us write to it */
  open(id: number, handle: PipeHandle, addresses: readonly string[], able: boolean): boolean {
    let incoming: Incoming | undefined;
    const link: Link = new Link({
      handle,
      speak: () => this.#options.speak(id),
      onMessage: (message, arrived) => {
        if (message.type === 'give') {
          incoming = this.#offered(link, message, arrived, addresses);
        } else if (message.type === 'state' && incoming !== undefined) {
          incoming.pieces.push(message.bytes);
          incoming.missing -= message.bytes.length;
        } else {
          arrived?.close();
          return;
        }
        if (incoming === undefined || incoming.missing > 0) return;
        this.#take(link, incoming, addresses);
        incoming = undefined;
      },
      onEnd: () => {
        incoming?.handle.close();
        this.#links.delete(id);
      },
    });
    this.#links.set(id, link);
    return link.hello(able);
  }

  /** @returns undefined for what is refused */
  #offered(link: Link, give: Give, handle: TcpHandle | undefined, addresses: readonly string[]): Incoming | undefined {
    const { isLeaving } = this.#options;
    const missing = give.stateBytes ?? 0;
    if (handle === undefined || isLeaving() || missing > MOST_STATE_BYTES || !this.#canTake(give, addresses)) {
      handle?.close();
      link.send({ type: 'refused', id: give.id, leaving: isLeaving() });
      return undefined;
    }
    return { give, handle, pieces: [], missing };
  }

  #serverFor({ address }: Give, addresses: readonly string[]): Server | undefined {
    const name = addresses[address];
    return name === undefined ? undefined : this.#options.serverAt(name);
  }

  #canTake(give: Give, addresses: readonly string[]): boolean {
    const server = this.#serverFor(give, addresses);
    if (server === undefined) return false;
    const { _handle: own, _connections: open } = internals(server);
    if (own === null || typeof own.onconnection !== 'function' || ownerOf(own) === undefined) return false;
    const { maxConnections } = server;
    return !(maxConnections > 0 && open >= maxConnections);
  }

  #take(link: Link, { give, handle, pieces }: Incoming, addresses: readonly string[]): void {
    const server = this.#serverFor(give, addresses);
    const own = server && internals(server)._handle;
    if (server === undefined || !own) {
      handle.close();
      link.send({ type: 'refused', id: give.id, leaving: false });
      return;
    }
    // Told before the first byte is read: whoever hears of it never reads again. A sender that has ended hears of nothing, and
    // its connections are nobody else's.
    const errno = link.send({ type: 'took', id: give.id });
    if (errno !== 0 && errno !== EPIPE) {
      handle.close();
      // The sender hears that this link is over, and has the connection again.
      link.abandon();
      return;
    }
    if (give.stateBytes !== null) this.#options.onState(handle, Buffer.concat(pieces));
    own.onconnection.call(own, 0, handle);
    this.#options.onTaken();
    const socket = ownerOf<ServerSocket>(handle);
    if (socket === undefined || socket.destroyed) return;
    if (give.stateBytes !== null || give.fresh) return;
    hasSpokenElsewhere(socket, give.keepAliveMs);
    waitForNext(server as KeepAlive, socket, give.keepAliveMs);
  }
}

/** Counts as a connection between two requests: it stays open for as long as the client was promised, by either worker. */
function waitForNext(server: KeepAlive & { timeout?: number }, socket: ServerSocket, promisedMs: number): void {
  const parser = socket.parser as Parser | null | undefined;
  if (!parser?._consumed || !prime(parser)) return;
  const ownMs = keptMs(server);
  if (ownMs === 0) return;
  socket.setTimeout(Math.max(promisedMs, ownMs));
  const { timeout = 0 } = server;
  const { onIncoming } = parser;
  parser.onIncoming = (...args) => {
    parser.onIncoming = onIncoming;
    socket.setTimeout(timeout);
    return onIncoming(...args);
  };
}
