/**
 * What workers and supervisor say to each other over the channel of Node, hand-over included. Only types live here: the preload
 * takes nothing else at run time.
 */
import type { DrainReason } from '../public.js';
import type { ConnectionCounts, Measured, OpenConnection, WorkerFigures } from './measured.js';

/**
 * The `cmd` of every message on the worker's channel. Node hands messages whose `cmd` begins with `NODE_` to
 * `internalMessage` listeners only, so the application's own `message` listeners never see holdfast's.
 */
export type IpcCommand = 'NODE_HOLDFAST';

/** What the application asked to listen on, after Node resolved the host name. */
export interface AddressRequest {
  /** IP address, or null for "any" (`::` with a fallback to `0.0.0.0`, as Node does). */
  readonly host: string | null;
  readonly port: number;
  /** 4 or 6; meaningless while `host` is null. */
  readonly family: 4 | 6;
  readonly ipv6Only: boolean;
  /** Tells several `listen(0)` of one worker apart; 0 for every other port. */
  readonly ordinal: number;
}

/** A unix socket, or one for datagrams, that the application binds to serve: one for all slots. */
export type SharedRequest =
  | {
      readonly kind: 'unix';
      /** Absolute, or abstract: with a leading NUL. */
      readonly path: string;
      readonly umask: number;
      /** Node's options of the same names: for other users than the supervisor's as well. */
      readonly readableAll: boolean;
      readonly writableAll: boolean;
    }
  | {
      readonly kind: 'udp';
      readonly host: string;
      readonly port: number;
      readonly family: 4 | 6;
      readonly ipv6Only: boolean;
      readonly reuseAddr: boolean;
    };

/** Names an address within one application: the same in every slot and generation. */
export type AddressKey = string;

/** What an orphan tells the next supervisor of itself: what it does, and how far it has come. */
export interface OrphanAccount {
  readonly uptimeMs: number;
  readonly saidReady: boolean;
  /** It is not to accept before `accept`. */
  readonly held: boolean;
  readonly listening: readonly AddressKey[];
  /** Those of them that were open for a moment, at least. */
  readonly steady: readonly AddressKey[];
  /** It was asked to drain, and whether that is done. */
  readonly draining: boolean;
  readonly drained: boolean;
}

export type WorkerMessage = {
  readonly cmd: IpcCommand;
} /** What it cannot do, in words for people: told at its start, and again when more turns out to be missing. */ & (
  | { readonly type: 'able'; readonly missing: readonly string[]; readonly listens: boolean }
  /**
   * The first that an orphan says to a supervisor that has taken its place; two `output` follow and as many `mine` as there are
   * `sockets`, each with a handle. `stdout` and `stderr` are what it has printed meanwhile, a character for each byte.
   */
  | ({
      readonly type: 'attach';
      readonly worker: number;
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
      readonly missing: readonly string[];
      readonly sockets: number;
      readonly stdout: string;
      readonly stderr: string;
    } & OrphanAccount)
  /** Between the two: where its output can be read. */
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr' }
  /** It accepts there, or is to. */
  | { readonly type: 'mine'; readonly key: AddressKey; readonly slot: number }
  /** The answer to `adopt`. */
  | { readonly type: 'adopted'; readonly key: AddressKey; readonly slot: number; readonly ok: boolean }
  | { readonly type: 'listen'; readonly seq: number; readonly request: AddressRequest }
  /** The same for what is no TCP. */
  | { readonly type: 'share'; readonly seq: number; readonly request: SharedRequest }
  | { readonly type: 'bound'; readonly key: AddressKey }
  /** A moment after `bound` it listens there still. */
  | { readonly type: 'stayed'; readonly key: AddressKey }
  /** It serves there on a socket of its own, which is not in custody. */
  | { readonly type: 'opened'; readonly key: AddressKey }
  | { readonly type: 'closed'; readonly key: AddressKey }
  | { readonly type: 'drained' }
  /** What is still open when the drain is about to end: those that are about to be cut off, the first of them named. */
  | { readonly type: 'leftover'; readonly counts: ConnectionCounts; readonly named: readonly OpenConnection[] }
  /** The answer to `health`; `detail` is for people. */
  | { readonly type: 'health'; readonly ok: boolean; readonly detail: string }
  /** What has become of the connections of a drain that had recipients; `stayed` by reason, for people. */
  | {
      readonly type: 'handedOver';
      readonly handed: number;
      readonly refused: number;
      readonly takenBack: number;
      readonly stayed: Readonly<Record<string, number>>;
    }
  /** It has its end of a link. */
  | { readonly type: 'linked'; readonly link: number }
  /** A draining worker has lost a recipient: another one is welcome. */
  | { readonly type: 'unlinked' }
  /** The application has called `cluster.worker.disconnect()`: it wants to go when its connections have. */
  | { readonly type: 'resigned' }
  /** The answer to `profile`. `aside`: it is in the spare file. */
  | {
      readonly type: 'profiled';
      readonly seq: number;
      readonly ok: boolean;
      readonly aside: boolean;
      readonly detail: string;
    }
  /** The answer to `inspect`; an empty URL and the reason where it has no inspector. */
  | {
      readonly type: 'inspected';
      readonly seq: number;
      readonly url: string;
      readonly wasOpen: boolean;
      readonly detail: string;
    }
  /** It accepts no longer on that socket, which it had been given by `adopt`. */
  | { readonly type: 'released'; readonly key: AddressKey; readonly slot: number }
  | {
      readonly type: 'stats';
      readonly seq: number;
      /** How long the question waited before the worker's event loop came to it, in milliseconds. */
      readonly eventLoopDelayMs: number;
      readonly connections: number;
      /** Connections accepted since it began. */
      readonly accepted: number;
      readonly requests: number;
      /** Where it was asked for them. */
      readonly figures?: WorkerFigures;
    }
  /** The answer to `measure`. */
  | ({ readonly type: 'measured'; readonly seq: number } & Measured)
  /** The application wants the metrics of all workers. */
  | { readonly type: 'metrics'; readonly seq: number }
);

export type SupervisorMessage = {
  readonly cmd: IpcCommand;
} /** Comes with the handle, or with a negative errno as libuv counts them. */ & (
  | {
      readonly type: 'socket';
      readonly seq: number;
      readonly key: AddressKey;
      readonly errno: number;
      /** Nothing is to be accepted on it before `accept`. */
      readonly hold?: boolean;
      /** Not the socket, which comes by `adopt` if at all: the server is to look as if it listened. */
      readonly standIn?: boolean;
    }
  /** What was held begins to accept, and nothing is held any more. */
  | { readonly type: 'accept' }
  /** A duplicate of where the supervisor reads the worker's output: first of standard output, then of standard error. */
  | { readonly type: 'output' }
  /** To an orphan: no supervisor will come, and it is to drain and to end. */
  | { readonly type: 'abandon' }
  /** The answer to `attach`: this supervisor has it now. */
  | { readonly type: 'attached' }
  /** `under`: what is accepted there is for the server of that address, which takes in the other one. */
  | { readonly type: 'adopt'; readonly key: AddressKey; readonly slot: number; readonly under?: AddressKey }
  | { readonly type: 'release'; readonly key: AddressKey; readonly slot: number }
  /**
   * `emptyQueue`: nobody else holds the sockets, so what waits in their queues is accepted before they are closed.
   * SIGTERM follows after `windowMs` at the latest; within the first `spreadMs` idle clients are asked to go elsewhere.
   */
  | {
      readonly type: 'drain';
      readonly emptyQueue: boolean;
      readonly windowMs: number;
      readonly spreadMs: number;
      readonly reason: DrainReason;
      /** Links to workers that take its open connections have been made. */
      readonly recipients: boolean;
      /** The same, under the name by which workers of versions before 1.0 know it. */
      readonly heirs: boolean;
      /** When the application hears PM2's message `shutdown`: when the drain is over, or now. */
      readonly sayShutdown: 'late' | 'early';
    }
  /**
   * A channel between two workers, over which one hands its open connections to the other: an end for the one that gives, one
   * for the one that takes, and for the sender the receiver's end as well, so that it can take back what is not read. `cut`: the
   * receiver has ended. Comes with the end but for `cut`.
   */
  | {
      readonly type: 'link';
      readonly link: number;
      readonly role: 'give' | 'take' | 'back' | 'cut';
      /** Those that the sender listens on, in the order by which they are named. */
      readonly addresses: readonly AddressKey[];
    }
  /** The key of TLS session tickets, 48 bytes in base64: the same in all workers. The newest holds. */
  | { readonly type: 'ticketKey'; readonly key: string }
  /** SIGTERM follows. */
  | { readonly type: 'terminate' }
  /** Asks the application's own HTTP server for that path, inside the worker. */
  | { readonly type: 'health'; readonly path: string; readonly timeoutMs: number }
  /** Writes a profile of itself to `file`, if that is the one of this device and number (`id`), or else to `spare`. */
  | {
      readonly type: 'profile';
      readonly seq: number;
      readonly what: ProfileKind;
      readonly forMs: number;
      readonly file: string;
      readonly id: string;
      readonly spare: string;
    }
  /** Nobody waits for that profile any more. */
  | { readonly type: 'endProfile'; readonly seq: number }
  /** Opens its inspector. */
  | { readonly type: 'inspect'; readonly seq: number }
  /** What it measures of itself; `known` is the version of the application's description that has come. */
  | {
      readonly type: 'measure';
      readonly seq: number;
      /** Whether its connections are wanted by kind, too: each of them has to be looked at. Not asked by older supervisors. */
      readonly kinds?: boolean;
      /** How often it looks how late its event loop is, in milliseconds. Not told by older supervisors. */
      readonly resolutionMs?: number;
      /** How many times each garbage collection counts from now on; 0: they are not observed. Not told by older supervisors. */
      readonly gcWeight?: number;
      readonly application: boolean;
      readonly known: number;
    }
  /** The answer to `metrics`; without a text and with the reason where there is none. */
  | {
      readonly type: 'metrics';
      readonly seq: number;
      readonly contentType: string;
      readonly text: string;
      readonly reason: string;
    }
  /** `sentAtMs` is of the system's monotonic clock, which all processes of a machine share. */
  | { readonly type: 'stats'; readonly seq: number; readonly sentAtMs: number; readonly figures?: boolean }
);

export type ProfileKind = 'cpu' | 'heap' | 'sampling';
