/**
 * The bytes that came and went over the connections of a worker, while somebody observes the supervisor: a part of `measure.ts`.
 * Must not throw.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { Server } from 'node:net';

/** What has been counted of a connection: a look into a map would cost a short one more than the counting. */
export interface Moved {
  received: number;
  sent: number;
  /** It is in the list of those that are looked at again. */
  isDue: boolean;
}

export interface ByteSources {
  readonly figures: {
    onAnswered: ((socket: object, isLast: boolean) => void) | undefined;
    onUnmarked: (() => void) | undefined;
  };
  /** undefined of what is not ours, null of one of ours that has none. */
  readonly stampOf: (socket: object, makes: boolean) => Moved | null | undefined;
}

interface Counted {
  readonly _handle?: Handle | null;
  /** As long as it carries HTTP/1.1. */
  readonly parser?: object | null;
  /** Once it has no handle any more. */
  readonly bytesRead?: unknown;
  readonly _bytesDispatched?: unknown;
  readonly server?: Server;
}

/** Not every socket is Node's own: anything may be told, or nothing. */
interface Handle {
  readonly bytesRead?: unknown;
  readonly bytesWritten?: unknown;
}

/** So many connections are kept at most until they are looked at again, also where nobody asks. */
const MOST_DUE = 64;
/** As many of those that stay open are looked at whenever somebody asks, whether something was answered on them or not. */
const MOST_WATCHED = 32;

export class Bytes {
  readonly #sources: ByteSources;
  readonly #onAnswered = (socket: Counted, isLast: boolean): void => this.#moved(socket, isLast);
  /** Of what has no stamp of its own: TLS, and sessions of HTTP/2 by their handles. */
  readonly #counted = new WeakMap<object, Moved>();
  /** Those on which more has been answered since, and those that are watched. */
  #due: (readonly [socket: Counted, moved: Moved])[] = [];
  /** There are connections that are in no count of ours, so that all of them can never be known to be watched. */
  #hasOthers = false;
  received = 0;
  sent = 0;

  constructor(sources: ByteSources) {
    this.#sources = sources;
    this.listen();
    sources.figures.onUnmarked = () => {
      this.#hasOthers = true;
      this.listen();
    };
    diagnosticsChannel.subscribe('http2.server.stream.close', (message) => {
      const { stream } = message as { stream: { session?: { socket?: Counted } } };
      try {
        // A stand-in for the socket; that of a health check was accepted by no server.
        const socket = stream.session?.socket;
        if (socket?.server !== undefined && socket._handle) this.#movedNow(socket._handle);
      } catch {
        // Once the session has ended it stands for nothing, and says so.
      }
    });
  }

  /** Something is open that is not watched. */
  listen(): void {
    this.#sources.figures.onAnswered = this.#onAnswered;
  }

  /**
   * Brings the sums up to date. Of few connections those that stay open are watched from then on, and once all of them are,
   * nobody has to be told of their answers: where other processes empty the caches, as many workers on a processor do, even to
   * hear that there is nothing to do costs a kept connection a third of a percent.
   *
   * @param open how many connections there are
   */
  count(open: number): void {
    const looked = this.#due;
    this.#countDue();
    const staying = looked.filter(([socket]) => this.#canBeWatched(socket));
    const watched = staying.length <= MOST_WATCHED ? staying : [];
    for (const [, moved] of watched) moved.isDue = true;
    this.#due = watched;
    if (watched.length === open && !this.#hasOthers) this.#sources.figures.onAnswered = undefined;
    else this.listen();
  }

  #canBeWatched(socket: Counted): boolean {
    try {
      return Boolean(socket._handle && socket.parser) && this.#sources.stampOf(socket, false) !== undefined;
    } catch {
      return false;
    }
  }

  /**
   * Something has been answered on a connection. Its first answer is counted at once, as it may be the last; further ones when
   * somebody asks: a look at the handle at each of them would cost a kept connection more than all other counting.
   */
  #moved(socket: Counted, isLast: boolean): void {
    const stamp = this.#sources.stampOf(socket, !isLast);
    // Most connections that have one answer say so: nothing more comes of it, and nothing is kept.
    const known = stamp === undefined ? this.#counted.get(socket) : stamp;
    const moved = known ?? (isLast ? nothing() : this.#newly(socket));
    if (moved.isDue) return;
    if (moved.received === 0) {
      this.#count(handleOf(socket), moved);
      return;
    }
    moved.isDue = true;
    this.#due.push([socket, moved]);
    if (this.#due.length >= MOST_DUE) this.#countDue();
  }

  /** The socket of a session cannot be asked later: once the session has ended it throws. */
  #movedNow(handle: Handle): void {
    this.#count(handle, this.#counted.get(handle) ?? this.#newly(handle));
  }

  #newly(one: object): Moved {
    const moved = nothing();
    this.#counted.set(one, moved);
    return moved;
  }

  #countDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const [socket, moved] of due) {
      moved.isDue = false;
      this.#count(handleOf(socket), moved);
    }
  }

  #count(handle: Handle | null, moved: Moved): void {
    const told = handle && movedOn(handle);
    // As it was: what is told later is more by what is not told now.
    if (told === null) return;
    const [received, sent] = told;
    this.received += Math.max(0, received - moved.received);
    this.sent += Math.max(0, sent - moved.sent);
    moved.received = received;
    moved.sent = sent;
  }
}

function nothing(): Moved {
  return { received: 0, sent: 0, isDue: false };
}

/** The handle as long as there is one: a socket adds up what waits to be written at each look. null of one that does not tell. */
function handleOf(socket: Counted): Handle | null {
  try {
    return socket._handle ?? { bytesRead: socket.bytesRead, bytesWritten: socket._bytesDispatched };
  } catch {
    return null;
  }
}

function movedOn(handle: Handle): readonly [received: number, sent: number] | null {
  try {
    return [numberOf(handle.bytesRead), numberOf(handle.bytesWritten)];
  } catch {
    return null;
  }
}

function numberOf(value: unknown): number {
  return Number.isFinite(value) ? (value as number) : 0;
}
