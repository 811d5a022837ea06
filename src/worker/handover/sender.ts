/**
 * Gives the connections of a draining worker to its recipients, open: the clients notice nothing. Which one can go, and when; the
 * recipients themselves are in recipients.ts.
 *
 * One that is under way is not read here: what the client sends meanwhile stays in the kernel, for whoever has it in the end.
 */
import type { Server } from 'node:net';
import { isHttp } from '../connections/connections.js';
import { hasSaidNothing, promisedElsewhere } from '../connections/first-word.js';
import { type Stay, whyConversationStays, whyStays } from '../connections/movable.js';
import { connectionsOf, type KeepAlive, keptMs } from '../node/http.js';
import type { MovableSocket } from '../node/socket.js';
import { detach, freeze, thaw } from './freeze.js';
import { type Entry, type Recipient, Recipients, type Return, WINDOW } from './recipients.js';

/** Names that applications give are among them. */
const MOST_REASONS = 16;
const LONGEST_REASON = 200;
/** How soon what stands in the way for a moment is looked at again. */
const SOON_MS = 20;

/** What became of the connections of a drain. */
export interface GivenCounts {
  handed: number;
  /** By the recipient: it does not listen there, or has as many as it may. */
  refused: number;
  /** From a recipient that did not answer. */
  takenBack: number;
  /** Why others stayed, by reason. */
  readonly stayed: Record<string, number>;
}

export interface SenderOptions {
  /** The address at which a server listens, or listened last. */
  readonly addressOf: (server: Server) => string | undefined;
  readonly usual: (server: Server) => ReadonlySet<PropertyKey>;
  /** What the application passes on with a connection that is no HTTP; undefined where it stays for the moment. */
  readonly stateOf: (socket: MovableSocket) => Buffer | undefined;
  /** A recipient is gone or silent: perhaps there is another one. */
  readonly onRecipientLost: () => void;
  /** Says over this process's own channel that it has its end of the link. */
  readonly speak: (link: number) => void;
}

export class Sender {
  readonly counts: GivenCounts = { handed: 0, refused: 0, takenBack: 0, stayed: {} };
  readonly recipients: Recipients;
  readonly #options: SenderOptions;
  readonly #queue: MovableSocket[] = [];
  readonly #queued = new Set<MovableSocket>();
  readonly #underWay = new Set<MovableSocket>();
  /** They stay: a recipient has refused them, or they cannot be moved. */
  readonly #staying = new WeakSet<MovableSocket>();
  #soon: MovableSocket[] = [];
  #given = 0;
  #begun = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.recipients = new Recipients({
      onTook: (entry) => this.#took(entry),
      onReturned: (entry, why) => this.#keep(entry, why),
      onRoom: () => this.#pump(),
      onRecipientLost: options.onRecipientLost,
      speak: options.speak,
    });
  }

  /** The drain begins: what is open is given away, now or after its answer. */
  begin(sockets: readonly MovableSocket[]): void {
    this.#begun = true;
    // Those that have said nothing first: they are among the active ones, whose list is made for each of the others.
    const spoken = sockets.filter((socket) => !hasSaidNothing(socket));
    for (const socket of [...sockets.filter(hasSaidNothing), ...spoken]) this.#enqueue(socket);
    this.#pump();
  }

  /** An answer is out, or something else has changed about the connection. */
  again(socket: MovableSocket): void {
    // One that waits already goes when there is room.
    if (this.#begun && this.#enqueue(socket)) this.#pump();
  }

  /** Whether it is going to be handed over after its answer, as far as can be told now. */
  mayGive(socket: MovableSocket): boolean {
    return this.#begun && this.recipients.isHopeful && !this.#staying.has(socket) && !socket.encrypted;
  }

  /** Whether it is on its way at this moment: nothing is to be done to it. */
  isUnderWay(socket: MovableSocket): boolean {
    return this.#underWay.has(socket);
  }

  /** @returns whether it is new there */
  #enqueue(socket: MovableSocket): boolean {
    if (this.#queued.has(socket) || this.#underWay.has(socket) || this.#staying.has(socket)) return false;
    this.#queued.add(socket);
    this.#queue.push(socket);
    return true;
  }

  #pump(): void {
    if (!this.#begun) return;
    const active = new ActiveParsers();
    let skipped: MovableSocket[] | undefined;
    for (let socket = this.#queue.shift(); socket !== undefined; socket = this.#queue.shift()) {
      const { server } = socket;
      const recipient = server && this.recipients.recipientFor(this.#options.addressOf(server));
      if (recipient === undefined) {
        // Later ones may be of an address whose recipient has room.
        skipped ??= [];
        skipped.push(socket);
        if (skipped.length > WINDOW || !this.recipients.hasRoom) break;
        continue;
      }
      this.#queued.delete(socket);
      this.#offer(socket, recipient, active);
    }
    if (skipped !== undefined) this.#queue.unshift(...skipped);
  }

  #offer(socket: MovableSocket, recipient: Recipient, active: ActiveParsers): void {
    const { server } = socket;
    if (server === undefined) return;
    const isActive = (parser: object) => active.of(server).has(parser);
    const isHttp1 = socket.parser || isHttp(server);
    const stay = isHttp1 ? whyStays(socket, isActive, this.#options.usual(server)) : whyConversationStays(socket);
    if (stay !== null) {
      this.#stays(socket, stay);
      return;
    }
    const state = isHttp1 ? null : this.#options.stateOf(socket);
    if (state === undefined) this.#stays(socket, { kind: 'soon' });
    else this.#give(socket, recipient, state);
  }

  #stays(socket: MovableSocket, stay: Stay): void {
    if (stay.kind === 'busy') return;
    if (stay.kind === 'soon') {
      if (this.#soon.length === 0) setTimeout(() => this.#lookAgain(), SOON_MS).unref();
      this.#soon.push(socket);
      return;
    }
    this.#staying.add(socket);
    if (socket.destroyed) return;
    const { stayed } = this.counts;
    const isNew = !Object.hasOwn(stayed, stay.reason) && Object.keys(stayed).length >= MOST_REASONS;
    const reason = isNew ? 'other reasons' : stay.reason.slice(0, LONGEST_REASON);
    stayed[reason] = (stayed[reason] ?? 0) + 1;
  }

  #lookAgain(): void {
    const sockets = this.#soon;
    this.#soon = [];
    for (const socket of sockets) this.#enqueue(socket);
    this.#pump();
  }

  #give(socket: MovableSocket, recipient: Recipient, state: Buffer | null): void {
    const { server, _handle: handle } = socket;
    if (server === undefined || !handle) return;
    this.#given = (this.#given + 1) >>> 0;
    const id = this.#given;
    const fresh = hasSaidNothing(socket);
    const timeoutMs = socket.timeout ?? 0;
    freeze(socket, handle);
    this.#underWay.add(socket);
    const address = recipient.addresses.indexOf(this.#options.addressOf(server) ?? '');
    // The drain itself watches over those that are silent, and takes their time away.
    const promisedMs = Math.max(keptMs(server as KeepAlive), promisedElsewhere(socket));
    const keepAliveMs = fresh ? 0 : timeoutMs || promisedMs;
    const message = { type: 'give', id, address, keepAliveMs, fresh, stateBytes: state?.length ?? null } as const;
    this.recipients.give(recipient, { id, socket, handle, timeoutMs }, message, state);
  }

  #took({ socket, handle }: Entry): void {
    this.#underWay.delete(socket);
    this.counts.handed += 1;
    detach(socket, handle);
  }

  /** It stays here for the time being, unless another recipient may have it. */
  #keep({ socket, handle, timeoutMs }: Entry, why: Return): void {
    this.#underWay.delete(socket);
    thaw(socket, handle, timeoutMs);
    if (why !== 'unread') this.counts[why] += 1;
    if (why === 'refused') this.#staying.add(socket);
    // Not at once: a broken link whose end is still to come would be given it again, for ever.
    else this.#stays(socket, { kind: 'soon' });
  }
}

/** Asked for at most once for a server and a turn: within one nothing is parsed. */
class ActiveParsers {
  readonly #byServer = new Map<Server, ReadonlySet<object>>();

  of(server: Server): ReadonlySet<object> {
    const known = this.#byServer.get(server);
    if (known !== undefined) return known;
    const active = new Set(connectionsOf(server)?.active());
    this.#byServer.set(server, active);
    return active;
  }
}
