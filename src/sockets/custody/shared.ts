/**
 * Custody of what is no TCP: unix sockets, and sockets for datagrams that are bound to serve. One for each address, shared by the
 * workers of all slots, and open for as long as somebody may come for it, whatever happens to workers.
 *
 * Called by the supervisor. Must never accept or receive: workers do, on their duplicates.
 */
import os from 'node:os';
import type { NativeLoad } from '../../native/libc.js';
import type { AddressKey, SharedRequest } from '../../protocol/worker.js';
import { formatAddress, overlaps, sharedKey } from '../address/address.js';
import { BindError, EADDRINUSE } from '../bind/bind-error.js';
import { bindPath, bindUdp, removeDead, type SharedHandle, withoutName } from '../bind/shared-bind.js';
import { isSameFile, SocketPath } from '../bind/socket-path.js';
import { type InheritedShared, matchShared, nameOf } from '../inherit.js';
import { type Keeper, Keeping } from '../keeping.js';

export interface SharedSocket {
  readonly key: AddressKey;
  /** All slots share it. */
  readonly slot: null;
  readonly kind: SharedRequest['kind'];
  /** A path, or an IP address. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly handle: SharedHandle;
}

export interface SharedOptions {
  /** Name of the supervisor. */
  readonly owner: string;
  readonly native: NativeLoad;
  /** Sockets from before, which are to be served instead of new ones; they are owned here from now on. */
  readonly inherited: readonly InheritedShared[];
  /** Told of each of those once it is known whose it is: connections may wait in it already. */
  readonly onInherited: (socket: SharedSocket) => void;
  /** Keeps duplicates, so that sockets outlive this process. */
  readonly keeper: Keeper | null;
}

type IsHeld = (key: AddressKey) => boolean;

export class SharedSockets {
  readonly #options: SharedOptions;
  readonly #sockets = new Map<AddressKey, SharedSocket>();
  readonly #paths = new Map<AddressKey, SocketPath>();
  /** Of socket units, and not asked for yet. */
  readonly #unclaimed = new Set<InheritedShared>();
  /** Those that somebody else goes on to hold, whatever happens here, as that calls them. */
  readonly #foreign = new Map<SharedSocket, string>();
  readonly #keeping: Keeping<SharedSocket>;
  /** Of each address: one request is dealt with at a time. */
  readonly #turns = new Map<AddressKey, Promise<unknown>>();
  #closed = false;

  constructor(options: SharedOptions) {
    this.#options = options;
    this.#keeping = new Keeping(options.keeper, () => null);
    for (const socket of options.inherited) if (socket.kept === null) this.#unclaimed.add(socket);
    for (const socket of options.inherited) if (socket.kept !== null) this.#takeIn(socket, socket.kept.key);
  }

  /** Sockets that were passed by a socket unit, and that nobody has asked for. */
  get unclaimed(): readonly InheritedShared[] {
    return [...this.#unclaimed];
  }

  /**
   * The socket of that address; bound if there is none yet.
   *
   * @param isHeld whether a worker has what is in custody under a key: sockets in the way that nobody has are closed
   * @throws BindError
   */
  acquire(request: SharedRequest, isHeld: IsHeld = () => true): Promise<SharedSocket> {
    const key = sharedKey(request);
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => this.#findOrBind(key, request, isHeld));
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

  /** All that there is, with the names by which the next supervisor knows them. */
  get passable(): { readonly fd: number; readonly name: string }[] {
    const own = this.list().map((socket) => {
      const { key, slot, handle } = socket;
      return { fd: handle.fd, name: this.#foreign.get(socket) ?? nameOf({ key, slot, index: null }) };
    });
    return [...own, ...this.unclaimed.map(({ handle, name }) => ({ fd: handle.fd, name }))];
  }

  /** Of unix sockets in the file system: those of socket units as well, which the application may remove before it listens. */
  get paths(): readonly string[] {
    const sockets = [...this.#sockets.values(), ...this.#unclaimed];
    return sockets.flatMap(({ kind, host }) => (kind === 'unix' && !host.startsWith('\0') ? [host] : []));
  }

  /** Those that a worker has removed behind our back are put back at once. */
  restoreNames(): void {
    for (const path of this.#paths.values()) path.restore();
  }

  /** @returns whether it was one of these */
  release(key: AddressKey): boolean {
    const socket = this.#sockets.get(key);
    if (socket === undefined) return false;
    // It goes on to be listened on by who made it, and is there for the next one who asks.
    if (this.#foreign.has(socket)) return true;
    void this.#keeping.drop(socket);
    this.#close(socket);
    this.#paths.get(key)?.forget();
    this.#paths.delete(key);
    return true;
  }

  /**
   * One that a worker of the supervisor before has handed over. It is served on.
   *
   * @returns null where it is there already, or nobody can come by it any more; the handle is closed then
   */
  takeOver(inherited: Omit<InheritedShared, 'name' | 'kept'>, key: AddressKey): SharedSocket | null {
    const { kind, host, port, ipv6Only, handle } = inherited;
    const hasName = kind === 'unix' && !host.startsWith('\0');
    const unit = this.unclaimed.find((other) => other.kind === kind && other.host === host && other.port === port);
    if (unit !== undefined) this.#claim(unit, key);
    const isTaken = this.#closed || this.#sockets.has(key);
    const path = hasName && !isTaken ? SocketPath.find(host, this.#options.owner) : undefined;
    if (isTaken || path === null) {
      handle.close();
      return null;
    }
    if (path !== undefined) this.#paths.set(key, path);
    const socket: SharedSocket = { key, slot: null, kind, host, port, ipv6Only, handle };
    this.#sockets.set(key, socket);
    this.#keeping.review(this.list().filter((other) => !this.#foreign.has(other)));
    return socket;
  }

  /** What is kept elsewhere goes on with its name, and may be taken over from there. */
  closeAll(): void {
    this.#closed = true;
    for (const socket of this.list()) {
      this.#close(socket);
      const path = this.#paths.get(socket.key);
      if (this.#options.keeper === null) path?.forget();
      else path?.leave();
    }
    this.#paths.clear();
    for (const { handle } of this.#unclaimed) handle.close();
    this.#unclaimed.clear();
  }

  #close(socket: SharedSocket): void {
    this.#sockets.delete(socket.key);
    const path = this.#paths.get(socket.key);
    if (path === undefined) socket.handle.close();
    else path.close(socket.handle);
  }

  #takeIn(inherited: InheritedShared, said: AddressKey): void {
    const { kind, host, port, ipv6Only, handle, name } = inherited;
    // The name by which it was kept may be cut.
    const key =
      kind === 'unix' ? sharedKey({ kind, path: host, umask: 0, readableAll: false, writableAll: false }) : said;
    // A unit that has come later has taken the name.
    const isTaken = this.#sockets.has(key) || this.unclaimed.some((unit) => unit.kind === 'unix' && unit.host === host);
    const hasName = kind === 'unix' && !host.startsWith('\0');
    const path = hasName && !isTaken ? SocketPath.find(host, this.#options.owner) : undefined;
    if (isTaken || path === null) {
      handle.close();
      this.#keeping.refuse(name);
      return;
    }
    if (path !== undefined) this.#paths.set(key, path);
    const socket: SharedSocket = { key, slot: null, kind, host, port, ipv6Only, handle };
    this.#sockets.set(key, socket);
    this.#keeping.has(socket, name);
    this.#options.onInherited(socket);
  }

  #claim(inherited: InheritedShared, key: AddressKey): SharedSocket {
    const { kind, host, port, ipv6Only, handle, name } = inherited;
    this.#unclaimed.delete(inherited);
    const socket: SharedSocket = { key, slot: null, kind, host, port, ipv6Only, handle };
    this.#sockets.set(key, socket);
    this.#foreign.set(socket, name);
    this.#options.onInherited(socket);
    return socket;
  }

  async #findOrBind(key: AddressKey, request: SharedRequest, isHeld: IsHeld): Promise<SharedSocket> {
    const path = this.#paths.get(key);
    // Nobody can come by it any more. Workers that have it may go on with what they have accepted.
    if (path !== undefined && (await this.#isGone(path))) this.release(key);
    for (const rival of this.#rivalsOf(key, request)) if (!isHeld(rival.key)) this.release(rival.key);
    // What has been given up, and is still held by the keeper, would be in the way.
    await this.#keeping.gone(
      ({ kind, port }) => kind === request.kind && (kind === 'unix' || port === portOf(request)),
    );
    const found = this.#sockets.get(key);
    if (found !== undefined) return found;
    const unit = matchShared([...this.#unclaimed], request, isSameFile);
    if (unit !== undefined) return this.#claim(unit, key);
    if (request.kind === 'unix') await removeDead(request.path);
    if (this.#closed) throw new BindError(key, -os.constants.errno.ECANCELED);
    const socket = request.kind === 'unix' ? this.#bindPath(key, request) : this.#bindUdp(key, request);
    this.#sockets.set(key, socket);
    this.#keeping.review(this.list().filter((other) => !this.#foreign.has(other)));
    return socket;
  }

  /** @throws BindError where somebody else has the name */
  async #isGone(name: SocketPath): Promise<boolean> {
    if (name.restore() === 'taken') await removeDead(name.path);
    const is = name.restore();
    if (is === 'taken')
      throw new BindError(`unix:${name.path}`, EADDRINUSE, { reason: 'EADDRINUSE, something else has taken its name' });
    return is === 'gone';
  }

  #bindPath(key: AddressKey, request: Extract<SharedRequest, { kind: 'unix' }>): SharedSocket {
    const { path } = request;
    const { owner, keeper, native } = this.#options;
    const bound = bindPath(key, request);
    const handle = keeper === null ? bound : withoutName(path, bound, owner, native);
    if (!path.startsWith('\0')) this.#paths.set(key, new SocketPath(path, owner));
    return { key, slot: null, kind: 'unix', host: path, port: 0, ipv6Only: false, handle };
  }

  #bindUdp(key: AddressKey, request: Extract<SharedRequest, { kind: 'udp' }>): SharedSocket {
    const { host, port, ipv6Only } = request;
    const passed = this.unclaimed.find((socket) => socket.kind === 'udp' && socket.port === port);
    const [rival] = this.#rivalsOf(key, request);
    const handle = bindUdp(key, request, {
      ...(rival && {
        reason: `EADDRINUSE, ${rival.key} is served`,
        hint: 'a restart takes over any other host of a port',
      }),
      ...(passed && {
        hint: `the socket unit has it for ${passed.family === 6 ? 'IPv6' : 'IPv4'}: give it ListenDatagram=${formatAddress(host, port)}`,
      }),
    });
    return { key, slot: null, kind: 'udp', host, port, ipv6Only, handle };
  }

  /** Of ours, for datagrams: the system binds none beside them, and of two would give each datagram to one. */
  #rivalsOf(key: AddressKey, request: SharedRequest): SharedSocket[] {
    if (request.kind !== 'udp') return [];
    return this.list().filter(
      (socket) =>
        socket.kind === 'udp' && socket.key !== key && !this.#foreign.has(socket) && overlaps(socket, request),
    );
  }
}

function portOf(request: SharedRequest): number {
  return request.kind === 'udp' ? request.port : 0;
}
