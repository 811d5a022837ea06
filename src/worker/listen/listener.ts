/** One server of the application that listens, or waits to: what it accepts on, and what it is shown. */
import type { Server } from 'node:net';
import type { AddressKey } from '../../protocol/worker.js';
import type { Channel } from '../channel/channel.js';
import { acceptOn, internals, stopAccepting, type TcpHandle } from '../node/handle.js';
import type { Where } from './query.js';

interface Adopted {
  readonly slot: number;
  readonly key: AddressKey;
  readonly handle: TcpHandle;
}

/** What comes with a socket, beside its address. */
export interface Terms {
  readonly hold?: boolean | undefined;
  readonly standIn?: boolean | undefined;
}

export class Listener {
  readonly #channel: Channel;
  readonly server: Server;
  readonly where: Where;
  #key: AddressKey | undefined;
  #handle: TcpHandle | undefined;
  /** As the application asked for; it holds for whoever accepts on a socket of this address. */
  #backlog = 511;
  /** Further sockets on which it accepts, by slot and address. */
  readonly #adopted = new Map<string, Adopted>();
  /** Begins to accept, where that has been put off. */
  #begin: (() => void) | undefined;
  /** Its handle is none of its address: that comes later, if at all. */
  #standIn = false;
  /** Nothing is accepted before `accept`. */
  #held = false;
  /** It has been open for a moment. */
  steady = false;
  /** Of the server, when it asked. */
  readonly #listeningId: number | undefined;

  constructor(channel: Channel, server: Server, where: Where) {
    this.#channel = channel;
    this.server = server;
    this.where = where;
    this.#listeningId = internals(server)._listeningId;
  }

  /** Its server has been closed before the answer came: it will not listen. */
  get isGone(): boolean {
    return this.#handle === undefined && internals(this.server)._listeningId !== this.#listeningId;
  }

  get key(): AddressKey | undefined {
    return this.#key;
  }

  get handle(): TcpHandle | undefined {
    return this.#handle;
  }

  get listens(): boolean {
    return this.#handle !== undefined && internals(this.server)._handle === this.#handle;
  }

  /** The answer has come: what Node is about to listen on. @param onClosed whoever closes it, the application or the drain */
  take(key: AddressKey, handle: TcpHandle, { hold = false, standIn = false }: Terms, onClosed: () => void): void {
    this.#key = key;
    this.#handle = handle;
    this.#standIn = standIn;
    this.#held = hold;
    if (standIn) this.#pretend(handle);
    this.#watchListen(handle);
    this.#watchClose(handle, onClosed);
  }

  /** The handle of something else says what the server is to hear, and its sockets keep the process alive as it does. */
  #pretend(handle: TcpHandle): void {
    if (typeof this.where === 'string') return;
    const { host, port } = this.where;
    const address = host ?? '::';
    handle.getsockname = (out) => {
      Object.assign(out, { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' });
      return 0;
    };
    for (const name of ['ref', 'unref'] as const) {
      const original = handle[name];
      handle[name] = () => {
        original.call(handle);
        for (const other of this.#adopted.values()) other.handle[name]();
      };
    }
  }

  /** Node hands the backlog on to nobody but the handle. */
  #watchListen(handle: TcpHandle): void {
    const { listen } = handle;
    handle.listen = (backlog) => {
      Reflect.deleteProperty(handle, 'listen');
      this.#backlog = backlog;
      if (!this.#held && !this.#standIn) return listen.call(handle, backlog);
      // A handle that does not listen keeps no process alive.
      this.#channel.hold();
      this.#begin = this.#standIn ? () => {} : () => listen.call(handle, backlog);
      return 0;
    };
  }

  /** The supervisor hears of it. */
  #watchClose(handle: TcpHandle, onClosed: () => void): void {
    const { close } = handle;
    handle.close = (callback) => {
      handle.close = close;
      onClosed();
      const keys = new Set([...this.#adopted.values()].map(({ key }) => key)).add(this.#key ?? '');
      for (const adopted of this.#adopted.values()) adopted.handle.close();
      this.#adopted.clear();
      this.#endWait(false);
      // Before it is told: the supervisor may have the address bound anew at once.
      close.call(handle, callback);
      for (const key of keys) if (key !== '') this.#channel.send({ type: 'closed', key });
    };
  }

  /** Nothing is held any more. */
  accept(): void {
    const wasHeld = this.#held;
    this.#held = false;
    if (!this.#standIn) this.#endWait(true);
    if (!wasHeld) return;
    for (const { handle } of this.#adopted.values()) this.#acceptOn(handle);
  }

  #endWait(accepts: boolean): void {
    const begin = this.#begin;
    if (begin === undefined) return;
    this.#begin = undefined;
    this.#channel.letGo();
    if (accepts) begin();
  }

  /** @returns whether it accepts there, or will */
  adopt(slot: number, key: AddressKey, handle: TcpHandle): boolean {
    if (this.#handle === undefined || !(this.#held || this.#acceptOn(handle))) return false;
    const name = nameOf(slot, key);
    this.#adopted.get(name)?.handle.close();
    this.#adopted.set(name, { slot, key, handle });
    if (this.#standIn && this.#key === key) {
      this.#standIn = false;
      if (!this.#held) this.#endWait(false);
    }
    return true;
  }

  #acceptOn(handle: TcpHandle): boolean {
    const own = this.#handle;
    return own !== undefined && acceptOn({ server: this.server, backlog: this.#backlog }, own, handle);
  }

  hasAdopted(key: AddressKey): boolean {
    return [...this.#adopted.values()].some((adopted) => adopted.key === key);
  }

  release(slot: number, key: AddressKey): void {
    const name = nameOf(slot, key);
    this.#adopted.get(name)?.handle.close();
    this.#adopted.delete(name);
  }

  get held(): boolean {
    return this.#held;
  }

  /** What it accepts on, or is to. @param own its slot; none where it only seems to listen */
  sockets(own: number): { readonly key: AddressKey; readonly slot: number; readonly handle: TcpHandle }[] {
    const adopted = [...this.#adopted.values()];
    const key = this.#key;
    const handle = this.#handle;
    if (this.#standIn || key === undefined || handle === undefined || !this.listens) return adopted;
    // It took the place of one that only stood for it.
    const follows = adopted.some((other) => other.slot === own && other.key === key);
    return follows ? adopted : [{ key, slot: own, handle }, ...adopted];
  }

  /** The supervisor has those of others now, and asks again where it wants that. */
  releaseOthers(own: number): void {
    for (const { slot, key } of [...this.#adopted.values()]) {
      if (slot !== own || key !== this.#key) this.release(slot, key);
    }
  }

  /** It accepts nothing more; to the application it looks as if it listened. */
  stop(): void {
    if (this.listens) stopAccepting(this.server);
  }
}

function nameOf(slot: number, key: AddressKey): string {
  return `${slot} ${key}`;
}
