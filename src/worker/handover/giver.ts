/**
 * Gives the connections of a draining worker to its heirs, open: the clients notice nothing.
 *
 * A connection is the giver's until the heir has said `took`, and the heir's from then on. One that is under way is not read
 * here: what the client sends meanwhile stays in the kernel, for whoever has it in the end. An heir that says nothing for a
 * second loses what it has not read yet: the giver reads the other end of the channel itself, and the kernel gives each
 * record to one reader only.
 */
import type { Server } from 'node:net';
import { performance } from 'node:perf_hooks';
import { isHttp } from '../connections.js';
import type { TcpHandle } from '../handle.js';
import { connectionsOf } from '../node-http.js';
import { detach, freeze, thaw } from './freeze.js';
import { Link, type PipeHandle } from './link.js';
import { type ConnectionHandle, type MovableSocket, type Stay, whyConversationStays, whyStays } from './movable.js';
import { type Message, pieces } from './record.js';

/** Handles on their way at one time: below the limit of RLIMIT_NOFILE on those in flight, whatever it is. */
const WINDOW = 32;
/** An heir that has not answered for so long is not waited for. */
const SILENCE_MS = 1_000;
/** How long another heir may be on its way before answers say that they are the last. */
const HOPE_MS = 2_000;
/** Names that applications give are among them. */
const MOST_REASONS = 16;
const LONGEST_REASON = 200;
/** How soon what stands in the way for a moment is looked at again. */
const SOON_MS = 20;

interface Entry {
  readonly id: number;
  readonly socket: MovableSocket;
  readonly handle: ConnectionHandle;
  readonly timeoutMs: number;
}

interface Heir {
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

/** What became of the connections of a drain. */
export interface GivenCounts {
  handed: number;
  /** By the heir: it does not listen there, or has as many as it may. */
  refused: number;
  /** From an heir that did not answer. */
  takenBack: number;
  /** Why others stayed, by reason. */
  readonly stayed: Record<string, number>;
}

export interface GiverOptions {
  /** The address at which a server listens, or listened last. */
  readonly addressOf: (server: Server) => string | undefined;
  readonly usual: (server: Server) => ReadonlySet<PropertyKey>;
  /** What the application passes on with a connection that is no HTTP; undefined where it stays for the moment. */
  readonly stateOf: (socket: MovableSocket) => Buffer | undefined;
  /** An heir is gone or silent: perhaps there is another one. */
  readonly onHeirLost: () => void;
  /** Says over this process's own channel that it has its end of the link. */
  readonly speak: (link: number) => void;
}

export class Giver {
  readonly counts: GivenCounts = { handed: 0, refused: 0, takenBack: 0, stayed: {} };
  readonly #options: GiverOptions;
  readonly #heirs = new Map<number, Heir>();
  readonly #queue: MovableSocket[] = [];
  readonly #queued = new Set<MovableSocket>();
  readonly #underWay = new Set<MovableSocket>();
  /** They stay: an heir has refused them, or they cannot be moved. */
  readonly #staying = new WeakSet<MovableSocket>();
  #soon: MovableSocket[] = [];
  #given = 0;
  #turn = 0;
  #begun = false;
  #hopeUntil = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: GiverOptions) {
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

  /** The drain begins: what is open is given away, now or after its answer. */
  begin(sockets: readonly MovableSocket[]): void {
    this.#begun = true;
    // Those that have said nothing first: they are among the active ones, whose list is made for each of the others.
    const isFresh = ({ bytesRead }: MovableSocket) => bytesRead === 0;
    for (const socket of [...sockets.filter(isFresh), ...sockets.filter((one) => !isFresh(one))]) this.#enqueue(socket);
    this.#pump();
  }

  /** An answer is out, or something else has changed about the connection. */
  again(socket: MovableSocket): void {
    if (!this.#begun) return;
    this.#enqueue(socket);
    this.#pump();
  }

  /** Whether it is going to be handed over after its answer, as far as can be told now. */
  mayGive(socket: MovableSocket): boolean {
    return this.#begun && this.isHopeful && !this.#staying.has(socket) && !socket.encrypted;
  }

  /** Whether it is on its way at this moment: nothing is to be done to it. */
  isUnderWay(socket: MovableSocket): boolean {
    return this.#underWay.has(socket);
  }

  /** There is an heir, or there may be one in a moment. */
  get isHopeful(): boolean {
    for (const heir of this.#heirs.values()) if (heir.able && !heir.stalled) return true;
    return performance.now() < this.#hopeUntil;
  }

  #hope(): void {
    this.#hopeUntil = performance.now() + HOPE_MS;
  }

  #enqueue(socket: MovableSocket): void {
    if (this.#queued.has(socket) || this.#underWay.has(socket) || this.#staying.has(socket)) return;
    this.#queued.add(socket);
    this.#queue.push(socket);
  }

  #pump(): void {
    if (!this.#begun) return;
    const active = new ActiveParsers();
    let skipped: MovableSocket[] | undefined;
    for (let socket = this.#queue.shift(); socket !== undefined; socket = this.#queue.shift()) {
      const heir = this.#heirFor(socket);
      if (heir === undefined) {
        // Later ones may be of an address whose heir has room.
        skipped ??= [];
        skipped.push(socket);
        if (skipped.length > WINDOW || !this.#hasRoom()) break;
        continue;
      }
      this.#queued.delete(socket);
      this.#offer(socket, heir, active);
    }
    if (skipped !== undefined) this.#queue.unshift(...skipped);
  }

  #hasRoom(): boolean {
    for (const heir of this.#heirs.values()) if (isOpen(heir) && heir.underWay.size < WINDOW) return true;
    return false;
  }

  /** In turn, so that all get their share. */
  #heirFor({ server }: MovableSocket): Heir | undefined {
    const address = server && this.#options.addressOf(server);
    const fitting = [...this.#heirs.values()].filter(
      (heir) =>
        isOpen(heir) && heir.underWay.size < WINDOW && address !== undefined && heir.addresses.includes(address),
    );
    this.#turn += 1;
    return fitting[this.#turn % fitting.length];
  }

  #offer(socket: MovableSocket, heir: Heir, active: ActiveParsers): void {
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
    else this.#give(socket, heir, state);
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

  #give(socket: MovableSocket, heir: Heir, state: Buffer | null): void {
    const { server, _handle: handle } = socket;
    if (server === undefined || !handle) return;
    this.#given = (this.#given + 1) >>> 0;
    const id = this.#given;
    const fresh = handle.bytesRead === 0;
    const timeoutMs = socket.timeout ?? 0;
    const entry = { id, socket, handle, timeoutMs };
    freeze(socket, handle);
    if (heir.underWay.size === 0) heir.heardAt = performance.now();
    heir.underWay.set(id, entry);
    this.#underWay.add(socket);
    this.#watch ??= setInterval(() => this.#review(), SILENCE_MS / 4).unref();
    const message: Message = {
      type: 'give',
      id,
      address: heir.addresses.indexOf(this.#options.addressOf(server) ?? ''),
      keepAliveMs: fresh ? 0 : timeoutMs,
      fresh,
      stateBytes: state?.length ?? null,
    };
    const failed = () => this.#keep(heir, id, true);
    if (heir.link.send(message, handle, failed) !== 0) {
      failed();
      return;
    }
    for (const piece of pieces(state ?? Buffer.alloc(0))) heir.link.send(piece);
  }

  #heard(heir: Heir, message: Message, handle: TcpHandle | undefined): void {
    handle?.close();
    heir.heardAt = performance.now();
    switch (message.type) {
      case 'hello':
        heir.able = message.able;
        if (!message.able) this.#stop(heir);
        break;
      case 'took':
        this.#took(heir, message.id);
        break;
      case 'refused':
        if (message.leaving) {
          this.#keep(heir, message.id, true);
          this.#stop(heir);
          break;
        }
        this.counts.refused += 1;
        this.#keep(heir, message.id, false);
        break;
      default:
        return;
    }
    this.#pump();
  }

  #took(heir: Heir, id: number): void {
    const entry = heir.underWay.get(id);
    if (entry === undefined) return;
    heir.underWay.delete(id);
    this.#underWay.delete(entry.socket);
    this.counts.handed += 1;
    detach(entry.socket, entry.handle);
  }

  /** It stays here for the time being; `again` where another heir may have it. */
  #keep(heir: Heir, id: number, again: boolean): void {
    const entry = heir.underWay.get(id);
    if (entry === undefined) return;
    heir.underWay.delete(id);
    this.#underWay.delete(entry.socket);
    thaw(entry.socket, entry.handle, entry.timeoutMs);
    if (again) this.#enqueue(entry.socket);
    else this.#staying.add(entry.socket);
  }

  /** Nothing more is given to this one; what it has been given it may still take. */
  #stop(heir: Heir): void {
    if (heir.stalled) return;
    heir.stalled = true;
    this.#hope();
    this.#options.onHeirLost();
  }

  #review(): void {
    if (this.#underWay.size === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
      return;
    }
    for (const heir of this.#heirs.values()) {
      if (heir.underWay.size === 0 || heir.stalled || performance.now() - heir.heardAt < SILENCE_MS) continue;
      // Where this loop was blocked itself, the answers are there but not read: timers run before them.
      const { heardAt } = heir;
      setImmediate(() => {
        if (heir.heardAt === heardAt && !heir.stalled && heir.underWay.size > 0) this.#takeBack(heir);
      });
    }
  }

  #takeBack(heir: Heir): void {
    const { back } = heir;
    heir.back = undefined;
    if (back !== undefined) {
      const onMessage = (message: Message, handle: TcpHandle | undefined) => {
        handle?.close();
        if (message.type !== 'give' || !heir.underWay.has(message.id)) return;
        this.counts.takenBack += 1;
        this.#keep(heir, message.id, true);
        this.#pump();
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
    for (const id of [...heir.underWay.keys()]) {
      this.counts.takenBack += 1;
      this.#keep(heir, id, true);
    }
    this.#stop(heir);
    this.#pump();
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

function isOpen({ able, stalled }: Heir): boolean {
  return able && !stalled;
}
