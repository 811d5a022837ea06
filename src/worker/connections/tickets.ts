/**
 * TLS session tickets that are valid in every worker and generation: their key comes from the supervisor. Without it a
 * reload would be a storm of full handshakes, since each worker makes a key of its own.
 *
 * A ticket says who the client is, and nothing is verified again when it is used. So a server that asks for client
 * certificates keeps a key of its own: with a common one it would let in whoever another server, or an earlier generation
 * with other authorities, has let in. The others have one for each address, derived from the supervisor's (RFC 5869).
 *
 * Node has one key at a time: when it is replaced, older tickets lead to one full handshake each, and to no error.
 */
import type crypto from 'node:crypto';
import type { Server } from 'node:net';

/** As `server.setTicketKeys` wants it. */
const KEY_BYTES = 48;
/** The same in every release: Node's own is made of the path of the script, which a deployment changes. */
const SESSION_ID_CONTEXT = 'holdfast';

/** The methods of `tls.Server`, and options where the application has given them. */
interface TicketServer extends Server {
  readonly ticketKeys?: Buffer;
  readonly requestCert?: boolean;
  readonly sessionIdContext?: string;
  readonly _sharedCreds?: { readonly context?: { setSessionIdContext?(context: string): void } };
  setTicketKeys(keys: Buffer): unknown;
  getTicketKeys(): Buffer;
}
type SetSecureContext = (this: Server, options: unknown) => unknown;

export class Tickets {
  #key: Buffer | undefined;
  /** Servers that have our key, and which one. */
  readonly #given = new WeakMap<Server, Buffer>();
  readonly #servers = new Set<WeakRef<TicketServer>>();
  /** Prototypes whose `setSecureContext` is followed. */
  readonly #followed = new WeakSet<object>();

  /** The supervisor's newest key, in base64. Servers to which the application has given one of its own since keep that. */
  renew(key: string): void {
    const bytes = Buffer.from(key, 'base64');
    if (bytes.length !== KEY_BYTES) return;
    this.#key = bytes;
    for (const reference of this.#servers) {
      const server = reference.deref();
      if (server !== undefined && this.#hasOurs(server)) this.#give(server);
      else this.#servers.delete(reference);
    }
  }

  /** A server begins to listen. One for which the application has chosen its keys keeps them. */
  watch(server: Server): void {
    if (!isTicketServer(server) || server.ticketKeys !== undefined || server.requestCert !== false) return;
    this.#follow(server);
    if (this.#give(server)) this.#servers.add(new WeakRef(server));
  }

  #give(server: TicketServer): boolean {
    if (this.#key === undefined) return false;
    try {
      const key = Buffer.from(
        cryptography().hkdfSync('sha256', this.#key, '', JSON.stringify(server.address()), KEY_BYTES),
      );
      server.setTicketKeys(key);
      this.#given.set(server, key);
      if (server.sessionIdContext === nodesContext()) {
        server._sharedCreds?.context?.setSessionIdContext?.(SESSION_ID_CONTEXT);
      }
      return true;
    } catch {
      // It goes on with keys of its own: handshakes cost more, nothing fails.
      return false;
    }
  }

  #hasOurs(server: TicketServer): boolean {
    const given = this.#given.get(server);
    try {
      return given !== undefined && server.getTicketKeys().equals(given);
    } catch {
      return false;
    }
  }

  /** An application that renews its certificate gets new keys with it. On the prototype, so that no server shows it. */
  #follow(server: TicketServer): void {
    const owner = prototypeWith(server, 'setSecureContext');
    if (owner === undefined || this.#followed.has(owner)) return;
    this.#followed.add(owner);
    const original = owner.setSecureContext;
    const hasOurs = (one: TicketServer) => this.#hasOurs(one);
    const give = (one: TicketServer) => this.#give(one);
    owner.setSecureContext = function (this: Server, options: unknown) {
      const server = this as TicketServer;
      const ours = hasOurs(server);
      const result = original.call(this, options);
      if (ours) give(server);
      return result;
    };
  }
}

function isTicketServer(server: Server): server is TicketServer {
  const { setTicketKeys, getTicketKeys } = server as Partial<TicketServer>;
  return typeof setTicketKeys === 'function' && typeof getTicketKeys === 'function';
}

function prototypeWith(server: object, method: 'setSecureContext'): { setSecureContext: SetSecureContext } | undefined {
  let at: object | null = Object.getPrototypeOf(server);
  while (at !== null && !Object.hasOwn(at, method)) at = Object.getPrototypeOf(at);
  return (at as { setSecureContext: SetSecureContext } | null) ?? undefined;
}

/** Only where there is TLS, and so loaded already: a Node may be built without. */
function cryptography(): typeof crypto {
  return require('node:crypto') as typeof crypto;
}

/** What Node takes where the application names no `sessionIdContext`. */
function nodesContext(): string {
  return cryptography().createHash('sha1').update(process.argv.join(' ')).digest('hex').slice(0, 32);
}
