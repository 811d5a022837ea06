/**
 * TLS session tickets that are valid in every worker and generation: their key comes from the supervisor. Without it a
 * reload would be a storm of full handshakes, since each worker makes a key of its own.
 *
 * Node has one key at a time: when it is replaced, older tickets lead to one full handshake each, and to no error.
 */
import type { Server } from 'node:net';

/** The methods of `tls.Server`, and the option `ticketKeys` where the application has given it. */
interface TicketServer extends Server {
  readonly ticketKeys?: Buffer;
  setTicketKeys(keys: Buffer): unknown;
  getTicketKeys(): Buffer;
}

export class Tickets {
  #key: Buffer | undefined;
  /** Servers that have our key, and which one. */
  readonly #given = new Map<WeakRef<TicketServer>, Buffer>();

  /** The supervisor's newest key, in base64. Servers to which the application has given one of its own since keep that. */
  renew(key: string): void {
    this.#key = Buffer.from(key, 'base64');
    for (const [reference, given] of this.#given) {
      const server = reference.deref();
      if (server?.getTicketKeys().equals(given)) this.#give(server, reference);
      else this.#given.delete(reference);
    }
  }

  /** A server begins to listen. One for which the application has chosen its keys keeps them. */
  watch(server: Server): void {
    if (this.#key === undefined || !isTicketServer(server) || server.ticketKeys !== undefined) return;
    this.#give(server, new WeakRef(server));
  }

  #give(server: TicketServer, reference: WeakRef<TicketServer>): void {
    if (this.#key === undefined) return;
    try {
      server.setTicketKeys(this.#key);
      this.#given.set(reference, this.#key);
    } catch {
      // It goes on with keys of its own: handshakes cost more, nothing fails.
      this.#given.delete(reference);
    }
  }
}

function isTicketServer(server: Server): server is TicketServer {
  const { setTicketKeys, getTicketKeys } = server as Partial<TicketServer>;
  return typeof setTicketKeys === 'function' && typeof getTicketKeys === 'function';
}
