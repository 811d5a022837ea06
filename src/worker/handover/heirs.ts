/**
 * Those who take the connections of a draining worker: a channel to each, and what is on its way to whom.
 *
 * What has been given is the sender's until the heir has said `took`, and the heir's from then on. An heir that says nothing
 * for a second loses what it has not read yet: the sender reads the other end of the channel itself, and the kernel gives each
 * record to one reader only.
 */
import { performance } from 'node:perf_hooks';
import type { TcpHandle } from '../node/handle.js';
import type { PipeHandle } from '../node/pipe.js';
import type { ConnectionHandle, MovableSocket } from '../node/socket.js';
import { Link } from './link.js';
import { type Message, pieces } from './record.js';

/** Handles on their way at one time: below the limit of RLIMIT_NOFILE on those in flight, whatever it is. */
export const WINDOW = 32;
/** An heir that has not answered for so long is not waited for. */
const SILENCE_MS = 1_000;
/** How long another heir may be on its way before answers say that they are the last. */
const HOPE_MS = 2_000;

/** A connection that is on its way. */
export interface Entry {
  readonly id: number;
  readonly socket: MovableSocket;
  readonly handle: ConnectionHandle;
  readonly timeoutMs: number;
}

export interface Heir {
  readonly id: number;
  readonly link: Link;
  readonly addresses: readonly string[];
  /** A second holder of the heir's end, to take back what the heir does not read. */
  back: PipeHandle | undefined;
  /** It has said that it is there, and takes. */
  able: boolean;
  /** It did not answer: nothing more is given to it. */
  stalled: boolean;
  /** When it last answered, or was given something while it owed nothing. */
  heardAt: number;
  reader: Link | undefined;
  readonly underWay: Map<number, Entry>;
}

/** Why a connection has come back: nobody has read it, the heir does not want it, or it was taken from a silent one. */
export type Return = 'unread' | 'refused' | 'takenBack';

export interface HeirsOptions {
  readonly onTook: (entry: Entry) => void;
  readonly onReturned: (entry: Entry, why: Return) => void;
  /** There is room again, or something to give again. */
  readonly onRoom: () => void;
  /** An heir is gone or silent: perhaps there is another one. */
  readonly onHeirLost: () => void;
  /** Says over this process's own channel that it has its end of the link. */
  readonly speak: (link: number) => void;
}

export class Heirs {
  readonly #options: HeirsOptions;
  readonly #heirs = new Map<number, Heir>();
  #turn = 0;
  #hopeUntil = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: HeirsOptions) {
    this.#options = options;
  }

  /** An heir's channel. @throws where it cannot be opened @returns false where this Node does not let us write to it */
  open(id: number, handle: PipeHandle, addresses: readonly string[]): boolean {
    const link = new Link({
      handle,
      speak: () => this.#options.speak(id),
      onMessage: (message, arrived) => this.#heard(heir, message, arrived),
      onEnd: () => this.#lost(heir),
    });
    const heir: Heir = {
      id,
      link,
      addresses,
      back: undefined,
      able: false,
      stalled: false,
      heardAt: 0,
      reader: undefined,
      underWay: new Map(),
    };
    this.#heirs.set(id, heir);
    this.#hope();
    return link.hello(true);
  }

  /** The other end of an heir's channel. */
  keepBack(id: number, handle: PipeHandle): void {
    const heir = this.#heirs.get(id);
    if (heir === undefined) handle.close();
    else heir.back = handle;
  }

  /** The heir has ended. */
  unlink(id: number): void {
    const heir = this.#heirs.get(id);
    if (heir === undefined) return;
    this.#stop(heir);
    // Nobody holds the other end any more: all that it has answered is read, then this end hears that it is over.
    if (heir.reader !== undefined) heir.reader.close();
    else heir.back?.close();
    heir.back = undefined;
  }

  /** There is an heir, or there may be one in a moment. */
  get isHopeful(): boolean {
    for (const heir of this.#heirs.values()) if (isOpen(heir)) return true;
    return performance.now() < this.#hopeUntil;
  }

  get hasRoom(): boolean {
    for (const heir of this.#heirs.values()) if (hasRoom(heir)) return true;
    return false;
  }

  /** In turn, so that all get their share. */
  heirFor(address: string | undefined): Heir | undefined {
    if (address === undefined) return undefined;
    const fitting = [...this.#heirs.values()].filter((heir) => hasRoom(heir) && heir.addresses.includes(address));
    this.#turn += 1;
    return fitting[this.#turn % fitting.length];
  }

  /** The connection must be frozen. `state` is what the application passes on with it. */
  give(heir: Heir, entry: Entry, message: Message, state: Buffer | null): void {
    if (heir.underWay.size === 0) heir.heardAt = performance.now();
    heir.underWay.set(entry.id, entry);
    this.#watch ??= setInterval(() => this.#review(), SILENCE_MS / 4).unref();
    const failed = () => this.#return(heir, entry.id, 'unread');
    if (heir.link.send(message, entry.handle, failed) !== 0) {
      failed();
      return;
    }
    for (const piece of pieces(state ?? Buffer.alloc(0))) heir.link.send(piece);
  }

  #hope(): void {
    this.#hopeUntil = performance.now() + HOPE_MS;
  }

  #heard(heir: Heir, message: Message, handle: TcpHandle | undefined): void {
    handle?.close();
    heir.heardAt = performance.now();
    switch (message.type) {
      case 'hello':
        heir.able = message.able;
        if (!message.able) this.#stop(heir);
        break;
      case 'took': {
        const entry = heir.underWay.get(message.id);
        heir.underWay.delete(message.id);
        if (entry !== undefined) this.#options.onTook(entry);
        break;
      }
      case 'refused':
        this.#return(heir, message.id, message.leaving ? 'unread' : 'refused');
        if (message.leaving) this.#stop(heir);
        break;
      default:
        return;
    }
    this.#options.onRoom();
  }

  #return(heir: Heir, id: number, why: Return): void {
    const entry = heir.underWay.get(id);
    if (entry === undefined) return;
    heir.underWay.delete(id);
    this.#options.onReturned(entry, why);
  }

  /** Nothing more is given to this one; what it has been given it may still take. */
  #stop(heir: Heir): void {
    if (heir.stalled) return;
    heir.stalled = true;
    this.#hope();
    this.#options.onHeirLost();
  }

  #review(): void {
    let owed = 0;
    for (const heir of this.#heirs.values()) {
      owed += heir.underWay.size;
      if (heir.underWay.size === 0 || heir.stalled || performance.now() - heir.heardAt < SILENCE_MS) continue;
      // Where this loop was blocked itself, the answers are there but not read: timers run before them.
      const { heardAt } = heir;
      setImmediate(() => {
        if (heir.heardAt === heardAt && !heir.stalled && heir.underWay.size > 0) this.#takeBack(heir);
      });
    }
    if (owed > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #takeBack(heir: Heir): void {
    const { back } = heir;
    heir.back = undefined;
    if (back !== undefined) {
      const onMessage = (message: Message, handle: TcpHandle | undefined) => {
        handle?.close();
        if (message.type !== 'give' || !heir.underWay.has(message.id)) return;
        this.#return(heir, message.id, 'takenBack');
        this.#options.onRoom();
      };
      heir.reader = new Link({ handle: back, onMessage, onEnd: () => {}, speak: () => {} });
    }
    // What it has read and not answered is its own or ours once it answers or ends: until then nobody may touch it.
    this.#stop(heir);
  }

  /** Nothing comes from this one any more: what it has not taken is ours. */
  #lost(heir: Heir): void {
    this.#heirs.delete(heir.id);
    heir.reader?.close();
    heir.back?.close();
    for (const id of [...heir.underWay.keys()]) this.#return(heir, id, 'takenBack');
    this.#stop(heir);
    this.#options.onRoom();
  }
}

function isOpen({ able, stalled }: Heir): boolean {
  return able && !stalled;
}

function hasRoom(heir: Heir): boolean {
  return isOpen(heir) && heir.underWay.size < WINDOW;
}
