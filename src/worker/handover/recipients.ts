/**
 * Those who take the connections of a draining worker: a channel to each, and what is on its way to whom.
 *
 * What has been given is the sender's until the recipient has said `took`, and the recipient's from then on. A recipient that says nothing
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
/** A recipient that has not answered for so long is not waited for. */
const SILENCE_MS = 1_000;
/** How long another recipient may be on its way before answers say that they are the last. */
const HOPE_MS = 2_000;

/** A connection that is on its way. */
export interface Entry {
  readonly id: number;
  readonly socket: MovableSocket;
  readonly handle: ConnectionHandle;
  readonly timeoutMs: number;
}

export interface Recipient {
  readonly id: number;
  readonly link: Link;
  readonly addresses: readonly string[];
  /** A second holder of the recipient's end, to take back what the recipient does not read. */
  back: PipeHandle | undefined;
  /** It has said that it is there, and takes. */
  able: boolean;
  /** Nothing more is given to it: it does not answer, leaves, or its link is broken. */
  stalled: boolean;
  /** It does not answer, and what it has not read is taken back. */
  silent: boolean;
  /** When it last answered, or was given something while it owed nothing. */
  heardAt: number;
  reader: Link | undefined;
  readonly underWay: Map<number, Entry>;
}

/** Why a connection has come back: nobody has read it, the recipient does not want it, or it was taken from a silent one. */
export type Return = 'unread' | 'refused' | 'takenBack';

export interface RecipientsOptions {
  readonly onTook: (entry: Entry) => void;
  readonly onReturned: (entry: Entry, why: Return) => void;
  /** There is room again, or something to give again. */
  readonly onRoom: () => void;
  /** A recipient is gone or silent: perhaps there is another one. */
  readonly onRecipientLost: () => void;
  /** Says over this process's own channel that it has its end of the link. */
  readonly speak: (link: number) => void;
}

export class Recipients {
  readonly #options: RecipientsOptions;
  readonly #recipients = new Map<number, Recipient>();
  #turn = 0;
  #hopeUntil = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: RecipientsOptions) {
    this.#options = options;
  }

  /** A recipient's channel. @throws where it cannot be opened @returns false where this Node does not let us write to it */
  open(id: number, handle: PipeHandle, addresses: readonly string[]): boolean {
    const link = new Link({
      handle,
      speak: () => this.#options.speak(id),
      onMessage: (message, arrived) => this.#heard(recipient, message, arrived),
      onEnd: () => this.#lost(recipient),
    });
    const recipient: Recipient = {
      id,
      link,
      addresses,
      back: undefined,
      able: false,
      stalled: false,
      silent: false,
      heardAt: 0,
      reader: undefined,
      underWay: new Map(),
    };
    this.#recipients.set(id, recipient);
    this.#hope();
    return link.hello(true);
  }

  /** The other end of a recipient's channel. */
  keepBack(id: number, handle: PipeHandle): void {
    const recipient = this.#recipients.get(id);
    if (recipient === undefined) {
      handle.close();
      return;
    }
    recipient.back = handle;
    // Found out before there was anything to take back by.
    if (recipient.silent) this.#takeBack(recipient);
  }

  /** The recipient has ended. */
  unlink(id: number): void {
    const recipient = this.#recipients.get(id);
    if (recipient === undefined) return;
    this.#stop(recipient);
    // Nobody holds the other end any more: all that it has answered is read, then this end hears that it is over.
    if (recipient.reader !== undefined) recipient.reader.close();
    else recipient.back?.close();
    recipient.back = undefined;
  }

  /** There is a recipient, or there may be one in a moment. */
  get isHopeful(): boolean {
    for (const recipient of this.#recipients.values()) if (isOpen(recipient)) return true;
    return performance.now() < this.#hopeUntil;
  }

  get hasRoom(): boolean {
    for (const recipient of this.#recipients.values()) if (hasRoom(recipient)) return true;
    return false;
  }

  /** In turn, so that all get their share. */
  recipientFor(address: string | undefined): Recipient | undefined {
    if (address === undefined) return undefined;
    const fitting = [...this.#recipients.values()].filter(
      (recipient) => hasRoom(recipient) && recipient.addresses.includes(address),
    );
    this.#turn += 1;
    return fitting[this.#turn % fitting.length];
  }

  /** The connection must be frozen. `state` is what the application passes on with it. */
  give(recipient: Recipient, entry: Entry, message: Message, state: Buffer | null): void {
    if (recipient.underWay.size === 0) recipient.heardAt = performance.now();
    recipient.underWay.set(entry.id, entry);
    this.#watch ??= setInterval(() => this.#review(), SILENCE_MS / 4).unref();
    const failed = () => this.#return(recipient, entry.id, 'unread');
    if (recipient.link.send(message, entry.handle, failed) !== 0) {
      failed();
      return;
    }
    for (const piece of pieces(state ?? Buffer.alloc(0))) recipient.link.send(piece);
  }

  #hope(): void {
    this.#hopeUntil = performance.now() + HOPE_MS;
  }

  #heard(recipient: Recipient, message: Message, handle: TcpHandle | undefined): void {
    handle?.close();
    recipient.heardAt = performance.now();
    switch (message.type) {
      case 'hello':
        recipient.able = message.able;
        if (!message.able) this.#stop(recipient);
        break;
      case 'took': {
        const entry = recipient.underWay.get(message.id);
        recipient.underWay.delete(message.id);
        if (entry !== undefined) this.#options.onTook(entry);
        break;
      }
      case 'refused':
        this.#return(recipient, message.id, message.leaving ? 'unread' : 'refused');
        if (message.leaving) this.#stop(recipient);
        break;
      default:
        return;
    }
    this.#options.onRoom();
  }

  #return(recipient: Recipient, id: number, why: Return): void {
    const entry = recipient.underWay.get(id);
    if (entry === undefined) return;
    recipient.underWay.delete(id);
    this.#options.onReturned(entry, why);
  }

  /** Nothing more is given to this one; what it has been given it may still take. */
  #stop(recipient: Recipient): void {
    if (recipient.stalled) return;
    recipient.stalled = true;
    this.#hope();
    this.#options.onRecipientLost();
  }

  #review(): void {
    let owed = 0;
    for (const recipient of this.#recipients.values()) {
      owed += recipient.underWay.size;
      if (recipient.underWay.size === 0 || recipient.stalled || performance.now() - recipient.heardAt < SILENCE_MS)
        continue;
      // Where this loop was blocked itself, the answers are there but not read: timers run before them.
      const { heardAt } = recipient;
      setImmediate(() => {
        if (recipient.heardAt === heardAt && !recipient.stalled && recipient.underWay.size > 0)
          this.#takeBack(recipient);
      });
    }
    if (owed > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #takeBack(recipient: Recipient): void {
    const { back } = recipient;
    recipient.back = undefined;
    recipient.silent = true;
    if (back !== undefined) {
      const onMessage = (message: Message, handle: TcpHandle | undefined) => {
        handle?.close();
        if (message.type !== 'give' || !recipient.underWay.has(message.id)) return;
        this.#return(recipient, message.id, 'takenBack');
        this.#options.onRoom();
      };
      recipient.reader = new Link({ handle: back, onMessage, onEnd: () => {}, speak: () => {} });
    }
    // What it has read and not answered is its own or ours once it answers or ends: until then nobody may touch it.
    this.#stop(recipient);
  }

  /** Nothing comes from this one any more: what it has not taken is ours. */
  #lost(recipient: Recipient): void {
    this.#recipients.delete(recipient.id);
    recipient.reader?.close();
    recipient.back?.close();
    for (const id of [...recipient.underWay.keys()]) this.#return(recipient, id, 'takenBack');
    this.#stop(recipient);
    this.#options.onRoom();
  }
}

function isOpen({ able, stalled }: Recipient): boolean {
  return able && !stalled;
}

function hasRoom(recipient: Recipient): boolean {
  return isOpen(recipient) && recipient.underWay.size < WINDOW;
}
