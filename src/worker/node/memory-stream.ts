/**
 * A connection that never leaves the process: two ends of which each reads what the other writes, with the face of a socket
 * that came from this machine.
 */
import { Duplex } from 'node:stream';

export class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly remoteFamily = 'IPv4';
  readonly remotePort = 0;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 0;
  readonly connecting = false;
  readonly encrypted: boolean;
  /** What TLS has agreed on; without TLS there is none. */
  readonly alpnProtocol: string | undefined;
  #peer: MemorySocket | undefined;
  /** Of the peer's last write, which waits for somebody to read it. */
  #written: (() => void) | undefined;

  constructor(alpnProtocol: string | undefined) {
    super({ allowHalfOpen: true });
    this.encrypted = alpnProtocol !== undefined;
    this.alpnProtocol = alpnProtocol;
  }

  /** @returns both ends of a connection: the server's, then the client's */
  static pair(alpnProtocol: string | undefined) {
    const [server, client] = [new MemorySocket(alpnProtocol), new MemorySocket(alpnProtocol)];
    server.#peer = client;
    client.#peer = server;
    return [server, client] as const;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const peer = this.#peer;
    if (peer === undefined || peer.destroyed) {
      done();
      return;
    }
    peer.#written = done;
    if (peer.push(chunk)) peer._read();
  }

  override _read(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _final(done: () => void): void {
    if (this.#peer?.destroyed === false) this.#peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this._read();
    const peer = this.#peer;
    this.#peer = undefined;
    if (peer !== undefined && !peer.destroyed) setImmediate(() => peer.destroy());
    done(error);
  }

  // What servers and frameworks ask of a socket, and what has no meaning here.

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  address(): object {
    return { address: this.localAddress, family: this.remoteFamily, port: this.localPort };
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
}
