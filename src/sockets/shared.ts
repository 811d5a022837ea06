/**
 * Custody of what is no TCP: unix sockets, and sockets for datagrams that are bound to serve. One for each address, shared by the
 * workers of all slots, and open for as long as somebody may come for it, whatever happens to workers.
 *
 * Called by the supervisor. Must never accept or receive: workers do, on their duplicates.
 */
import dgram from 'node:dgram';
import { lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import type { AddressKey, SharedRequest } from '../protocol.js';
import { sharedKey } from './address.js';
import { BindError, EADDRINUSE } from './bind-error.js';
import { shortPath } from './short-path.js';
import { SocketPath } from './socket-path.js';

/** Node's raw pipe or UDP handle, as far as it is used here. Methods that return a number return 0 or a negative errno. */
interface SharedHandle {
  readonly fd: number;
  close(): void;
}
interface PipeHandle extends SharedHandle {
  fchmod(mode: number): number;
}
interface UdpHandle extends SharedHandle {
  bind(host: string, port: number, flags: number): number;
  bind6(host: string, port: number, flags: number): number;
}

export interface SharedSocket {
  readonly key: AddressKey;
  readonly kind: SharedRequest['kind'];
  /** A path, or an IP address. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  readonly handle: SharedHandle;
}

/** `uv_poll_event` of libuv, which `uv_pipe_chmod` takes. */
const UV_READABLE = 1;
const UV_WRITABLE = 2;
/** `uv_udp_flags` of libuv. */
const UV_UDP_IPV6ONLY = 1;
const UV_UDP_REUSEADDR = 4;
const ENAMETOOLONG = -os.constants.errno.ENAMETOOLONG;
/** How long it is waited for who may listen at a path already. */
const ANSWER_MS = 1_000;

export class SharedSockets {
  readonly #sockets = new Map<AddressKey, SharedSocket>();
  readonly #paths = new Map<AddressKey, SocketPath>();
  /** Of each address: one request is dealt with at a time. */
  readonly #turns = new Map<AddressKey, Promise<unknown>>();
  #closed = false;

  /**
   * The socket of that address; bound if there is none yet.
   *
   * @throws BindError
   */
  acquire(request: SharedRequest): Promise<SharedSocket> {
    const key = sharedKey(request);
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => this.#findOrBind(key, request));
    this.#turns.set(key, turn);
    const done = () => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    };
    turn.then(done, done);
    return turn;
  }

  list(): readonly SharedSocket[] {
    return [...this.#sockets.values()];
  }

  /** Of unix sockets in the file system. */
  get paths(): readonly string[] {
    return [...this.#paths.values()].map(({ path }) => path);
  }

  /** @returns whether it was one of these */
  release(key: AddressKey): boolean {
    const socket = this.#sockets.get(key);
    if (socket === undefined) return false;
    this.#sockets.delete(key);
    // libuv removes the name as well.
    socket.handle.close();
    this.#paths.get(key)?.forget();
    this.#paths.delete(key);
    return true;
  }

  closeAll(): void {
    this.#closed = true;
    for (const key of [...this.#sockets.keys()]) this.release(key);
  }

  async #findOrBind(key: AddressKey, request: SharedRequest): Promise<SharedSocket> {
    const found = this.#sockets.get(key);
    if (found !== undefined) {
      this.#paths.get(key)?.restore();
      return found;
    }
    if (request.kind === 'unix') await removeDead(request.path);
    if (this.#closed) throw new BindError(key, -os.constants.errno.ECANCELED);
    const socket = request.kind === 'unix' ? this.#bindPath(key, request) : bindUdp(key, request);
    this.#sockets.set(key, socket);
    return socket;
  }

  #bindPath(key: AddressKey, request: Extract<SharedRequest, { kind: 'unix' }>): SharedSocket {
    const { path, umask, readableAll, writableAll } = request;
    const short = shortPath(path);
    if (short === undefined) throw new BindError(key, ENAMETOOLONG);
    const seam = net as unknown as { _createServerHandle(path: string, port: -1, type: -1): PipeHandle | number };
    // The application may have set it just for this.
    const before = process.umask(umask);
    const handle = seam._createServerHandle(short.name, -1, -1);
    process.umask(before);
    if (typeof handle === 'number') {
      short.close();
      throw new BindError(key, handle);
    }
    const { close } = handle;
    // libuv removes the name, which must be good until then.
    handle.close = () => {
      handle.close = close;
      handle.close();
      short.close();
    };
    const mode = (readableAll ? UV_READABLE : 0) | (writableAll ? UV_WRITABLE : 0);
    if (mode !== 0) handle.fchmod(mode);
    if (!path.startsWith('\0')) this.#paths.set(key, new SocketPath(path));
    return { key, kind: 'unix', host: path, port: 0, handle };
  }
}

function bindUdp(key: AddressKey, request: Extract<SharedRequest, { kind: 'udp' }>): SharedSocket {
  const { host, port, family, ipv6Only, reuseAddr } = request;
  const handle = newUdpHandle();
  const flags = (ipv6Only ? UV_UDP_IPV6ONLY : 0) | (reuseAddr ? UV_UDP_REUSEADDR : 0);
  const errno = family === 6 ? handle.bind6(host, port, flags) : handle.bind(host, port, flags);
  if (errno !== 0) {
    handle.close();
    throw new BindError(key, errno);
  }
  return { key, kind: 'udp', host, port, handle };
}

/** A handle of a `Socket` that is never bound itself: Node keeps it under a symbol. */
function newUdpHandle(): UdpHandle {
  const socket = dgram.createSocket('udp4');
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const state = symbol && (socket as unknown as Record<symbol, { handle: UdpHandle } | undefined>)[symbol];
  if (state === undefined) throw new Error('this version of Node is not known: a socket has no handle');
  const { constructor: Udp } = state.handle as unknown as { constructor: new () => UdpHandle };
  socket.close();
  return new Udp();
}

/**
 * A name that is left of a socket at which nobody listens any more is removed: whoever was killed could not do it. Anything else
 * is left alone, and found to be in the way when it is bound.
 *
 * @throws BindError where somebody listens there
 */
async function removeDead(path: string): Promise<void> {
  if (path.startsWith('\0') || !lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const short = shortPath(path);
  if (short === undefined) return;
  const code = await new Promise<string | null>((resolve) => {
    const client = net.connect(short.name);
    const settle = (answer: string | null) => {
      client.destroy();
      resolve(answer);
    };
    client.setTimeout(ANSWER_MS, () => settle(null));
    client.once('connect', () => settle(null));
    client.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? null));
  });
  short.close();
  if (code === 'ECONNREFUSED') unlinkSync(path);
  else if (code === null)
    throw new BindError(`unix:${path}`, EADDRINUSE, { reason: 'EADDRINUSE, somebody listens there' });
}
