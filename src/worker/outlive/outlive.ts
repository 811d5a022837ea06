/**
 * A worker outlives its supervisor: it serves on, and goes on with the next one as if nothing had happened.
 *
 * When the channel ends it is an orphan. It reads its own output, so that writing never fails and no line is lost, and tries to
 * connect to where the next supervisor listens; to that it tells what it is, and hands a duplicate of each of its sockets. Then
 * the channel is there again. Nobody in the process notices: `disconnect` is not emitted, and node:cluster does not end it. An
 * orphan that nobody has come for drains, and ends.
 *
 * Must not throw: where this Node lacks something, the worker ends with its supervisor, as under node:cluster.
 */
import { performance } from 'node:perf_hooks';
import type { AddressKey, OrphanAccount, WorkerMessage } from '../../protocol/worker.js';
import {
  type ChannelPipe,
  channelPipe,
  connectChannel,
  type Link,
  type SendCallback,
  watchEnd,
} from '../node/relink.js';
import { openPlace, socketMark } from './attach-place.js';
import { OwnOutput, STREAMS } from './own-output.js';
import { CMD, type Message, type Sent, Unheard } from './unheard.js';

/** What of a worker the supervisor that takes it over has to know, besides what is known here. */
export interface Account extends Omit<OrphanAccount, 'uptimeMs' | 'saidReady'> {
  readonly missing: readonly string[];
  readonly sockets: readonly { readonly key: AddressKey; readonly slot: number; readonly handle: unknown }[];
}

/** How it ends, where no supervisor is left to say so. */
export interface EndTerms {
  readonly drainTimeoutMs: number;
  readonly spreadMs: number;
  readonly killTimeoutMs: number;
  readonly sayShutdown: 'late' | 'early';
  /** What it has started goes with it. */
  readonly takesChildren: boolean;
}

/** As the supervisor has told it at its start. */
export interface Terms extends EndTerms {
  /** Where the next supervisor listens. */
  readonly path: string;
  readonly orphanTimeoutMs: number;
}

export interface OutliveOptions {
  readonly terms: Terms;
  readonly identity: { readonly slot: number; readonly generation: number; readonly worker: number };
  readonly account: () => Account;
  /** A supervisor has it again. */
  readonly onAttached: () => void;
  /** Nobody has come for it: it is to drain and to end. */
  readonly onAbandoned: () => void;
}

/**
 * What is written synchronously waits for ever once a pipe is full that nobody else reads. Where nothing comes it is looked for
 * less often: many orphans must not keep a processor busy.
 */
const READ_MS = 5;
/** From one attempt to the next: at first, and when nobody has come for a while. */
const RETRY_MS = 50;
const LATER_MS = 250;
const SOON_MS = 10_000;
/** Kept from the start: applications replace it. */
const startTimer = setInterval;
const startOnce = setTimeout;

type Seam = typeof process & {
  _send(this: unknown, ...sent: Sent): boolean;
  _disconnect(this: unknown): void;
};

export class Outlive {
  readonly #options: OutliveOptions;
  readonly #process = process as Seam;
  /** null while it has no supervisor: `ended` where the application has closed the channel itself. */
  #link: 'first' | Link | null | 'ended' = 'first';
  #hasAttached = true;
  #wantsRef = false;
  #orphanedAt = 0;
  #abandoned = false;
  #timer: NodeJS.Timeout | undefined;
  #trying = false;
  #triedAt = 0;
  #deadMark: string | null | undefined;
  readonly #unheard = new Unheard();
  /** Without both ends it would die of what it prints: then it ends with its supervisor. */
  readonly output = new OwnOutput();

  constructor(options: OutliveOptions) {
    this.#options = options;
  }

  /** Before anything is sent. @throws where this Node does not let us */
  install(): void {
    const pipe = channelPipe(process);
    const { _send: send, _disconnect: disconnect } = this.#process;
    if (pipe === undefined || typeof send !== 'function' || typeof disconnect !== 'function') {
      throw new Error('this version of Node is not known: the channel has other parts');
    }
    watchEnd(
      pipe,
      () => this.#orphaned('first', pipe),
      () => this.output.isWhole,
    );
    this.#process._send = (...sent) => this.#send(send, sent);
    this.#process._disconnect = () => {
      const link = this.#link;
      this.#link = 'ended';
      clearInterval(this.#timer);
      if (link === 'first') disconnect.call(process);
      else this.#disconnected(link);
    };
    process.on('internalMessage' as 'message', (message: Message) => {
      if (message?.cmd === CMD && message.type === 'socket') this.#unheard.answered(message.seq);
    });
  }

  /** As Node does it. */
  #disconnected(link: Link | null | 'ended'): void {
    if (link !== null && link !== 'ended') (link as Link & { disconnect(): void }).disconnect();
    process.nextTick(() => process.emit('disconnect'));
  }

  #send(first: Seam['_send'], [message, handle, options, callback]: Sent): boolean {
    this.#unheard.note(message as Message);
    const link = this.#link;
    if (link === null || (link !== 'first' && link !== 'ended' && !this.#hasAttached)) {
      this.#keep([message, handle, options, callback]);
      return true;
    }
    if (isAcknowledgement(message as Message)) {
      return link === 'first' || link === 'ended'
        ? first.call(process, message, handle, options, callback)
        : link._send(message, handle, options, callback);
    }
    // Written after the other end has gone, and before that was read: Node would emit an error, which ends the process.
    const told: SendCallback = (error) => {
      const { code } = (error ?? {}) as NodeJS.ErrnoException;
      if (code === 'EPIPE' || code === 'ECONNRESET') this.#keep([message, handle, options, callback]);
      else if (callback !== undefined) callback(error);
      else if (error !== null) process.emit('error' as 'disconnect', ...([error] as unknown as []));
    };
    return link === 'first' || link === 'ended'
      ? first.call(process, message, handle, options, told)
      : link._send(message, handle, options, told);
  }

  #keep(sent: Sent): void {
    this.#unheard.keep(sent, typeof this.#link === 'object' && this.#link !== null);
  }

  #orphaned(link: 'first' | Link, pipe: ChannelPipe): void {
    if (this.#link !== link) return;
    this.#link = null;
    // It may have lost the next one before that had taken it over.
    if (this.#hasAttached) {
      this.#orphanedAt = performance.now();
      this.#wantsRef = pipe.hasRef();
    }
    this.#hasAttached = false;
    const timer = startTimer(() => this.#look(), RETRY_MS);
    this.#timer = timer;
    // What wants the channel to keep the process alive, or not to, wants it of whatever takes its place.
    const ref = (wanted: boolean) => {
      this.#wantsRef = wanted;
      if (wanted) timer.ref();
      else timer.unref();
    };
    ref(this.#wantsRef);
    const idle = { refCounted: () => {}, unrefCounted: () => {}, fd: undefined };
    Object.assign(process, { channel: { ...idle, ref: () => ref(true), unref: () => ref(false) } });
  }

  #look(): void {
    this.#read();
    const now = performance.now();
    const aloneMs = now - this.#orphanedAt;
    if (aloneMs >= this.#options.terms.orphanTimeoutMs) this.#abandon();
    if (this.#trying || now - this.#triedAt < (aloneMs < SOON_MS ? RETRY_MS : LATER_MS)) return;
    this.#triedAt = now;
    const place = openPlace(this.#options.terms.path);
    if (place === null) return;
    const mark = socketMark(place);
    // Nobody listens at a socket ever again that has been left behind.
    if (mark === null || (mark !== undefined && mark === this.#deadMark)) {
      place.close();
      return;
    }
    this.#trying = true;
    connectChannel(
      place.path,
      (link, pipe) => {
        this.#trying = false;
        place.close();
        this.#attach(link, pipe);
      },
      (error) => {
        this.#trying = false;
        if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') this.#deadMark = mark;
        place.close();
      },
    );
  }

  #read(): void {
    if (this.#link === null && this.output.read()) startOnce(() => this.#read(), READ_MS).unref();
  }

  #abandon(): void {
    if (this.#abandoned || this.#hasAttached) return;
    this.#abandoned = true;
    this.#options.onAbandoned();
  }

  #attach(link: Link, pipe: ChannelPipe): void {
    if (this.#link !== null) {
      pipe.close();
      return;
    }
    clearInterval(this.#timer);
    this.#link = link;
    watchEnd(pipe, () => this.#orphaned(link, pipe));
    pipe.readStart();
    // Said in any case: else Node does as it likes after each message.
    if (this.#wantsRef) link.channel.ref();
    else link.channel.unref();
    Object.assign(process, { channel: link.channel });
    link.on('message', (message, handle) => process.emit('message', message, handle));
    link.on('internalMessage', (message: Message, handle) => {
      if (String(message?.cmd).startsWith('NODE_HANDLE')) return;
      if (message?.cmd === CMD && message.type === 'attached') this.#attached(link);
      else if (message?.cmd === CMD && message.type === 'abandon') this.#abandon();
      else if (this.#hasAttached) process.emit('internalMessage' as 'message', message, handle);
    });
    this.#unheard.told();
    const { sockets, ...account } = this.#options.account();
    tell(link, {
      ...{ type: 'attach', ...this.#options.identity, pid: process.pid, uptimeMs: 1000 * process.uptime() },
      ...{ saidReady: this.#unheard.saidReady, sockets: sockets.length, ...account },
      ...this.output.texts,
    });
    for (const [i, stream] of STREAMS.entries()) tell(link, { type: 'output', stream }, this.output.ends[i]);
    for (const { key, slot, handle } of sockets) tell(link, { type: 'mine', key, slot }, handle);
  }

  #attached(link: Link): void {
    if (this.#link !== link || this.#hasAttached) return;
    this.#hasAttached = true;
    this.output.clear();
    this.#options.onAttached();
    this.#unheard.sendAgain((...sent) => this.#process._send(...sent));
  }
}

type Told = Extract<WorkerMessage, { type: 'attach' | 'output' | 'mine' }>;
type WithoutCommand<T> = T extends unknown ? Omit<T, 'cmd'> : never;

function tell(link: Link, message: WithoutCommand<Told>, handle?: unknown): void {
  // The handle stays open here, whatever becomes of the message.
  link._send({ cmd: CMD, ...message }, handle, { swallowErrors: true, keepOpen: true });
}

function isAcknowledgement(message: Message | null): boolean {
  return String(message?.cmd).startsWith('NODE_HANDLE_');
}

/** undefined where the supervisor has not said that it can be outlived. */
export function termsFrom(said: string | undefined): Terms | undefined {
  return said ? (JSON.parse(said) as Terms) : undefined;
}
