/**
 * Types of both wires: the worker's IPC channel and the control API.
 *
 * Imported by everybody, imports nobody but the types of the public API. Only types live here: the worker preload takes nothing else at run time.
 */

import type { DrainReason } from './public.js';

export type * from './public.js';

export type ListenMode = 'reuseport' | 'reuseaddr';
export type WorkerState = 'starting' | 'ready' | 'draining' | 'terminating' | 'killing' | 'gone';

// ---- worker IPC -------------------------------------------------------------------------------------------------

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

export type WorkerMessage = {
  readonly cmd: IpcCommand;
} /** What it cannot do, in words for people: told at its start, and again when more turns out to be missing. */ & (
  | { readonly type: 'able'; readonly missing: readonly string[]; readonly listens: boolean }
  /**
   * The first that an orphan says to a supervisor that has taken its place; two `output` follow and as many `mine` as there are
   * `sockets`, each with a handle. `stdout` and `stderr` are what it has printed meanwhile, a character for each byte.
   */
  | {
      readonly type: 'attach';
      readonly worker: number;
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
      readonly uptimeMs: number;
      readonly saidReady: boolean;
      readonly held: boolean;
      readonly listening: readonly AddressKey[];
      readonly steady: readonly AddressKey[];
      readonly draining: boolean;
      readonly drained: boolean;
      readonly missing: readonly string[];
      readonly sockets: number;
      readonly stdout: string;
      readonly stderr: string;
    }
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

/** What a worker has answered since it began. */
export interface WorkerFigures {
  readonly answers: number;
  /** Of 500 and above. */
  readonly serverErrors: number;
  /** How many answers took how long: bucket i ends at 2^(i/4 - 13) s. */
  readonly latency: readonly number[];
}

/** By the kind of server that accepts it: what becomes of it is not known yet. */
export interface AcceptedCounts {
  readonly http1: number;
  readonly http2: number;
  readonly other: number;
}

export type GcKind = 'minor' | 'major' | 'incremental' | 'weakcb';
export interface GcTotals {
  readonly kind: GcKind;
  readonly count: number;
  readonly ms: number;
  /** How many took at most 10, 100, 1,000 and 10,000 ms, and more than the bound before. */
  readonly buckets: readonly number[];
}

/** What a worker measures of itself since it began, but for what is said to be of this moment. */
export interface Measured {
  readonly requests: number;
  /** Answers by the first digit of their status. */
  readonly statuses: readonly number[];
  /** As in `WorkerFigures`. */
  readonly latency: readonly number[];
  /** All answers together. */
  readonly tookMs: number;
  readonly accepted: AcceptedCounts;
  /** Now. */
  readonly connections: number;
  /** Of connections with HTTP, up to their last answer. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  /** Memory: now. */
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  readonly externalBytes: number;
  readonly loopActiveMs: number;
  readonly loopIdleMs: number;
  /** Since it was asked the time before the last: mean, median, 99th percentile and most; empty where it is not known. */
  readonly loopDelayMs: readonly number[];
  readonly gc: readonly GcTotals[];
  /** Where it was asked for: what is open now, by kind. */
  readonly kinds?: ConnectionCounts;
  readonly application?: ApplicationMetrics;
}

/** What prom-client has counted in a worker: numbers, in the order of their description. */
export interface ApplicationMetrics {
  /** Of the description; 0 for none. */
  readonly version: number;
  /** A list of `ApplicationSchema` as JSON, where it has another version than the one that is known. */
  readonly schema?: string;
  /** null for what is no number in JSON. */
  readonly values: readonly (number | null)[];
  /** Series beyond what a worker may send. */
  readonly left: number;
  readonly failure: string | null;
  /** Processor time that it took to read them; older workers do not tell. */
  readonly costMs?: number;
}

export interface ApplicationSchema {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly series: readonly (readonly [metricName: string, labels: Readonly<Record<string, string>>])[];
}

/** What a connection is, for a drain; `other` is any conversation over TCP that is none of the others. */
export type ConnectionKind = 'http1' | 'http2' | 'websocket' | 'upgraded' | 'other';
export type ConnectionCounts = Readonly<Partial<Record<ConnectionKind, number>>>;

export interface OpenConnection {
  readonly kind: ConnectionKind;
  readonly ageMs: number;
  /** Address and port of the peer; null where Node no longer knows. */
  readonly remote: string | null;
  /** Of the request that is being answered, without its query; null between requests. */
  readonly path: string | null;
}

// ---- control API ------------------------------------------------------------------------------------------------

export interface SocketStatus {
  /** null in reuseaddr mode, where one socket serves all slots. */
  readonly slot: number | null;
  /** Share of new connections, relative to its siblings; null without steering. */
  readonly weight: number | null;
  /** Connections that wait to be accepted; null where the system does not tell. */
  readonly queueLength: number | null;
  /** How many may wait, as the application asked and the system allows; null where the system does not tell. */
  readonly backlog: number | null;
}

export interface AddressStatus {
  readonly kind: 'tcp' | 'udp' | 'unix';
  /** The path of a unix socket, whose port is 0. */
  readonly host: string;
  readonly port: number;
  readonly sockets: readonly SocketStatus[];
}

export interface WorkerStatus {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  readonly pid: number | null;
  readonly state: WorkerState;
  readonly uptimeMs: number;
  /** How often this slot's worker was replaced because it crashed. */
  readonly restarts: number;
  /** How often it was replaced because it had come to a limit. */
  readonly recycled: number;
  /** Why the slot's last worker was replaced before its time; null where none was. */
  readonly restartReason: string | null;
  /** Its entry file is not the one that its generation began with: it has been changed on disk since. */
  readonly scriptChanged: boolean;
  /** What its Node does not let holdfast do; empty where all is well. */
  readonly missing: readonly string[];
  readonly cpuPercent: number | null;
  readonly rssBytes: number | null;
  readonly eventLoopDelayMs: number | null;
  readonly connections: number | null;
  /** Connections accepted since it began. */
  readonly accepted: number | null;
  readonly requests: number | null;
  /** What it has answered since it began: where it is asked for, and known. */
  readonly figures?: WorkerFigures;
}

export type SupervisorState = 'starting' | 'running' | 'stopping' | 'stopped';
export type RolloutState = 'none' | 'running' | 'done' | 'rolledBack';

export interface RolloutStatus {
  readonly state: RolloutState;
  readonly reason: string | null;
  readonly from: number | null;
  readonly to: number | null;
  /** null where there is none. */
  readonly canary: CanaryStatus | null;
  /** Of its first worker; null where there is none, or it has passed. */
  readonly trial: TrialStatus | null;
}

export interface TrialStatus {
  readonly slot: number;
  /** Until the rollout goes on; null while the worker is not ready. */
  readonly remainingMs: number | null;
}

export interface CanaryStatus {
  readonly slot: number;
  /** Of new connections, 0 to 1. */
  readonly share: number;
  /** Whether steering gives it just that share. */
  readonly exact: boolean;
  /** Until it is promoted or taken back; null before it is ready. */
  readonly remainingMs: number | null;
  /** What it has done beside the others since it is ready; null before the first look. */
  readonly figures: { readonly canary: CanaryFigures; readonly others: CanaryFigures } | null;
}

export interface CanaryFigures {
  readonly answers: number;
  /** Of 500 and above. */
  readonly serverErrors: number;
  /** How long the slowest hundredth of the answers took at least; null without answers. */
  readonly p99Ms: number | null;
  /** The usual delay of the event loop; null where it is not known yet. */
  readonly loopDelayMs: number | null;
}

/**
 * Why a worker was replaced: it ended, it was found unfit (not ready in time, not healthy), its event loop hung, or it had
 * come to a limit.
 */
export type RestartCause = 'crashed' | 'failed' | 'hung' | 'recycled';

/** Counted since the supervisor began. Workers that a rollout replaces are no restarts. */
export interface Totals {
  readonly restarts: Record<RestartCause, number>;
  readonly rollouts: Record<'done' | 'rolledBack', number>;
}

export interface HandoverTotals {
  /** Whether open connections are handed over at all, and why not. */
  readonly on: boolean;
  readonly reason: string;
  readonly handed: number;
  /** By the other worker, which kept to `maxConnections` or does not listen there. */
  readonly refused: number;
  /** From a worker that did not answer. */
  readonly takenBack: number;
  /** Why others stayed with their worker, by reason. */
  readonly stayed: Readonly<Record<string, number>>;
}

export interface ReleaseStatus {
  /** Working folder, symbolic links resolved. */
  readonly folder: string;
  /** When it was loaded, in milliseconds since 1970. */
  readonly loadedAtMs: number;
}

/** `GET /v1/status`, and `holdfast status --json`. */
export interface SupervisorStatus {
  readonly name: string;
  readonly pid: number;
  readonly version: string;
  readonly nodeVersion: string;
  readonly state: SupervisorState;
  readonly uptimeMs: number;
  readonly script: string;
  /** The script is a program that is no Node: its workers have no figures of their own. */
  readonly exec?: boolean;
  /** That of the generation that every slot is on its way to. */
  readonly release?: ReleaseStatus;
  readonly listenMode: ListenMode;
  readonly listenModeReason: string;
  readonly steering: boolean;
  readonly steeringReason: string;
  readonly affinity: 'none' | 'client-ip';
  readonly generation: number;
  readonly size: number;
  readonly addresses: readonly AddressStatus[];
  readonly rollout: RolloutStatus;
  readonly crashLoop: boolean;
  readonly totals: Totals;
  /** What became of connections that draining workers were to hand over, since the supervisor began. */
  readonly handover: HandoverTotals;
  /** Connections that were still open when the drain of their worker ended, since the supervisor began; by kind. */
  readonly cutOff: ConnectionCounts;
  readonly cpuPercent: number | null;
  readonly rssBytes: number | null;
  readonly workers: readonly WorkerStatus[];
  /** Older versions do not tell it. */
  readonly upgrade?: UpgradeStatus;
}

/** What has become of a worker or of a reload. */
export interface RestartRecord {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** `crashed` is whatever made a slot's worker unfit: it ended, failed or hung. */
  readonly what: 'crashed' | 'recycled' | 'reloaded' | 'rolledBack';
  /** null where it is about all of them. */
  readonly slot: number | null;
  readonly reason: string;
}

export interface SettingDescription {
  readonly name: string;
  /** As its owner would write it, masked where it may be a secret; null where there is none. */
  readonly value: string | null;
  /** A file, `environment`, `command line` or `default`. */
  readonly source: string;
  /** The place there, as it is spelt there. */
  readonly path: string;
}

export interface VariableDescription {
  readonly name: string;
  readonly value: string;
  readonly source: string;
}

/** The body of `POST /v1/profile`. */
export interface ProfileOptions {
  readonly of: number | 'first';
  readonly what: ProfileKind;
  /** Of no account for a snapshot of the heap. */
  readonly forMs: number;
  /** An empty file that who asks has made, by its absolute path. */
  readonly file: string;
  /** Its device and number, `DEV INO`: the worker may see another file at that path. */
  readonly id: string;
}

/** The body of `POST /v1/inspect`. */
export interface InspectOptions {
  readonly of: number | 'first';
}

/** The body of `POST /v1/describe`. */
export interface DescribeOptions {
  /** A worker's id, or a slot where there is no such id; `first` for any worker. The application where it is not given. */
  readonly of?: number | 'first';
  /** Whether values are told that may be secrets. */
  readonly secrets?: boolean;
}

export interface Description {
  readonly status: SupervisorStatus;
  /** The worker's id; null for the application as a whole. */
  readonly worker: number | null;
  /** Now, in milliseconds since 1970. */
  readonly atMs: number;
  readonly release: {
    readonly generation: number;
    readonly folder: string;
    readonly script: string;
    readonly loadedAtMs: number;
    /** When the entry file was last changed before it was loaded. */
    readonly scriptChangedAtMs: number;
    /** The configuration file. */
    readonly file: string | null;
    /** What a command comes to: `npm start → node app.js`. */
    readonly resolved: string | null;
  };
  readonly settings: readonly SettingDescription[];
  readonly environment: readonly VariableDescription[];
  /** The newest last. */
  readonly restarts: readonly RestartRecord[];
}

/** What most `POST` requests answer with: server-sent events, whose name is the type; the result is the last one. */
export type ControlLine =
  | { readonly type: 'progress'; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }
  | ({ readonly type: 'result' } & ControlResult);

/** The body of `POST /v1/reload`; both at once make no sense. */
export interface ReloadOptions {
  /** One new worker first, with this share of new connections (above 0, at most 0.5), for this long. */
  readonly canary?: { readonly share: number; readonly forMs: number };
  /** Only tell what would change. */
  readonly dryRun?: boolean;
}

/** The body of `POST /v1/upgrade`. */
export interface UpgradeOptions {
  /** Absolute path of the Node that is to run the supervisor and the workers that are started from then on. */
  readonly node?: string;
}

/** The body of `POST /v1/leave`. */
export interface LeaveOptions {
  /** Only tell whether it could leave, and what its workers run. */
  readonly dryRun?: boolean;
}

/** Whether the supervisor can be replaced in place, and what became of the last time. */
export interface UpgradeStatus {
  readonly possible: boolean;
  /** Why not; null where it is. */
  readonly reason: string | null;
  /** null where it has not been replaced. */
  readonly last: LastUpgrade | null;
}

export interface LastUpgrade {
  /** As the progress of the request has told it. */
  readonly id: string;
  /** The release of holdfast before, and its Node. */
  readonly version: string;
  readonly nodeVersion: string;
  /** Why the one before had to be started again; null where all went well. */
  readonly failure: string | null;
  /** All workers have been taken over. */
  readonly done: boolean;
}

/** What a reload would change. Values of environment variables are never told: `from` and `to` are null there. */
export interface Change {
  readonly what: 'option' | 'environment' | 'script' | 'folder' | 'node';
  /** Of the option or the variable. */
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What the control server asks of the supervisor. Promises settle when the request has ended, well or badly. */
export interface ControlTarget {
  /** @param figures whether the workers are asked what they have answered, too */
  status(figures?: boolean): Promise<SupervisorStatus>;
  reload(progress: (line: ControlLine & { type: 'progress' }) => void, options?: ReloadOptions): Promise<ControlResult>;
  /** The canary's release is to take over before its time is over. */
  promote(progress: (line: ControlLine & { type: 'progress' }) => void): Promise<ControlResult>;
  /** The rollout that is under way is to be taken back. */
  abort(progress: (line: ControlLine & { type: 'progress' }) => void): Promise<ControlResult>;
  restart(progress: (line: ControlLine & { type: 'progress' }) => void): Promise<ControlResult>;
  /** `change` is an absolute size ("4") or a difference ("+2", "-1"). */
  scale(change: string, progress: (line: ControlLine & { type: 'progress' }) => void): Promise<ControlResult>;
  stop(progress: (line: ControlLine & { type: 'progress' }) => void): Promise<ControlResult>;
  /** Has no answer where all goes well: another program takes the place of this one. */
  upgrade(
    progress: (line: ControlLine & { type: 'progress' }) => void,
    options?: UpgradeOptions,
  ): Promise<ControlResult>;
  /** It is to end, and its workers are to stay: another supervisor of its name takes them over. */
  leave(progress: (line: ControlLine & { type: 'progress' }) => void, options?: LeaveOptions): Promise<ControlResult>;
  /** Given up when `gone` is aborted. */
  profile(
    options: ProfileOptions,
    progress: (line: ControlLine & { type: 'progress' }) => void,
    gone: AbortSignal,
  ): Promise<ControlResult>;
  /** Tells the URL as progress, and closes the inspector when `gone` is aborted. */
  inspect(
    options: InspectOptions,
    progress: (line: ControlLine & { type: 'progress' }) => void,
    gone: AbortSignal,
  ): Promise<ControlResult>;
  /** @throws HoldfastError NO_WORKER */
  describe(options: DescribeOptions): Promise<Description>;
  /** Calls `onLine` with each log line (JSON, no newline) that fits, until the returned function is called. */
  followLogs(onLine: (line: string) => void, filter?: LogFilter): () => void;
  /** The last lines that fit, oldest first; with what comes to `followLogs` in the same turn, none is missing or double. */
  recentLogs(query: LogQuery): RecentLogs;
  /** Calls `onEvent` with a snapshot at once, and with each event from then on, until the returned function is called. */
  followEvents(onEvent: (event: SupervisorEvent) => void): () => void;
}

// ---- events -----------------------------------------------------------------------------------------------------

/** As `SupervisorState`, and `restarting` between the end of the last worker and the first that is ready again. */
export type PhaseName = SupervisorState | 'restarting';

export interface WorkerLabel {
  /** Its number, which no other worker ever has. */
  readonly worker: number;
  readonly slot: number;
  readonly generation: number;
  readonly pid: number | null;
}

/** What happens in the supervisor: `GET /v1/events`. The name of the event is the type. */
export type SupervisorEvent = { readonly id: number } & (
  | ({ readonly type: 'snapshot' } & SupervisorSnapshot)
  | { readonly type: 'stateChanged'; readonly from: PhaseName; readonly to: PhaseName }
  | { readonly type: 'sizeChanged'; readonly from: number; readonly to: number }
  | ({ readonly type: WorkerEventName } & WorkerLabel)
  | ({
      readonly type: 'workerExited';
      readonly code: number | null;
      readonly signal: string | null;
      /** Nobody had asked it to end. */
      readonly crashed: boolean;
    } & WorkerLabel)
  | {
      readonly type: 'rolloutBegun';
      readonly from: number;
      readonly to: number;
      /** The canary's share of new connections; null without a canary. */
      readonly canary: number | null;
    }
  /** `replaced` of `size` slots are served by the new generation. */
  | {
      readonly type: 'rolloutProgress';
      readonly from: number;
      readonly to: number;
      readonly replaced: number;
      readonly size: number;
    }
  | { readonly type: 'rolloutDone'; readonly from: number; readonly to: number }
  /** It is being taken back. */
  | { readonly type: 'rolloutFailed'; readonly from: number; readonly to: number; readonly reason: string }
  /** All slots are served by `from` again. */
  | { readonly type: 'rolloutTakenBack'; readonly from: number; readonly to: number; readonly reason: string | null }
  | { readonly type: 'crashLoopBegun' | 'crashLoopOver' }
);

/** `workerUnready`: it serves no more, and is waited for. */
export type WorkerEventName =
  | 'workerSpawned'
  | 'workerReady'
  | 'workerUnready'
  | 'workerDraining'
  | 'workerTerminating'
  | 'workerKilling';

/** How things are when a reader begins to follow. */
export interface SupervisorSnapshot {
  readonly name: string;
  readonly state: PhaseName;
  readonly generation: number;
  readonly size: number;
  readonly crashLoop: boolean;
  readonly rollout: {
    readonly state: RolloutState;
    readonly from: number | null;
    readonly to: number | null;
    readonly reason: string | null;
    /** Slots that are served by the new generation. */
    readonly replaced: number;
    /** The canary's share of new connections; null without a canary. */
    readonly canary: number | null;
  };
  readonly workers: readonly (WorkerLabel & { readonly state: WorkerState })[];
}

// ---- logs -------------------------------------------------------------------------------------------------------

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** Which log lines are wanted; what is left out does not matter. */
export interface LogFilter {
  readonly worker?: number;
  readonly slot?: number;
  /** And all that is more important. */
  readonly level?: (typeof LOG_LEVELS)[number];
  /** By the clock, in milliseconds since 1970. */
  readonly sinceMs?: number;
}

/** Behind `GET /logs?`. */
export interface LogQuery extends LogFilter {
  /** How many of those that have come already. */
  readonly lines: number;
  /** Whether those that come from now on are wanted as well. */
  readonly follow: boolean;
}

export interface RecentLogs {
  readonly lines: readonly string[];
  /** Where older ones are to be read; null where there is no log file. */
  readonly logFile: string | null;
}

/** The first line of an answer to `GET /logs?lines=N`: how many lines follow that have come before. */
export interface LogHead {
  readonly type: 'logs';
  readonly recent: number;
  readonly logFile: string | null;
}

export interface ControlResult {
  readonly ok: boolean;
  readonly message: string;
  readonly reason: string | null;
  /** Where a profile is, if not in the file that was given: its asker is to take it from there. */
  readonly file?: string;
  /** The answer to a dry run. */
  readonly changes?: readonly Change[];
  /** What the workers run, where another supervisor is to take them over. Of its own shape in each version. */
  readonly release?: unknown;
}

// ---- admin address ----------------------------------------------------------------------------------------------

export type ProbeName = 'livez' | 'readyz' | 'startupz';

export interface ProbeAnswer {
  readonly ok: boolean;
  /** For people. */
  readonly reason: string;
}

/** What the admin server asks of the supervisor. */
export interface AdminTarget {
  probe(name: ProbeName): ProbeAnswer;
  status(): Promise<SupervisorStatus>;
  metrics(request: MetricsRequest): Promise<Page>;
  /** What who has the token may ask for. @param size for `scale` */
  command(name: PageCommand, size: string): Promise<ControlResult>;
  /** Tells what the page shows, at once and from then on, until the returned function is called. */
  follow(onEvent: (event: PageEvent) => void): () => void;
}

/** What a scraper asks for. */
export interface MetricsRequest {
  /** The header of that name. */
  readonly accept: string | null;
  /** Whether the application's metrics are told for each slot, and not together. */
  readonly byWorker: boolean;
}

/** What is answered to it; bytes, as there are formats that are no text. */
export interface Page {
  readonly contentType: string;
  readonly body: Buffer;
}

// ---- page -------------------------------------------------------------------------------------------------------

/** What the last hour is told of, in this order: rates by second, latency and delay in ms, CPU in processors. */
export type PageField =
  | 'requests'
  | 'errors'
  | 'p50Ms'
  | 'p99Ms'
  | 'loopDelayMs'
  | 'memoryBytes'
  | 'cpu'
  | 'connections'
  | 'queue';

/** null where it is not known. */
export type PageValues = readonly (number | null)[];

export interface PageMark {
  /** One that is told again takes the place of the first. */
  readonly id: number;
  /** Seconds since 1970. */
  readonly at: number;
  readonly kind: 'reload' | 'takenBack' | 'crash' | 'recycled' | 'scale';
  /** Why, for people, in a line. */
  readonly text: string;
  /** The last that a worker wrote, or where its JavaScript hung, the innermost call first. */
  readonly details: readonly string[];
}

export interface PageWorker {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  readonly pid: number | null;
  readonly state: WorkerState;
  readonly uptimeMs: number;
  readonly restarts: number;
  readonly restartReason: string | null;
  /** By second. */
  readonly requests: number | null;
  readonly errors: number | null;
  readonly p99Ms: number | null;
  readonly loopDelayMs: number | null;
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly connections: number | null;
  /** Share of the connections that all of them accepted in the last minute, 0 to 1. */
  readonly got: number | null;
}

export interface PageNow {
  /** Seconds since 1970. */
  readonly at: number;
  readonly values: PageValues;
  readonly status: Pick<
    SupervisorStatus,
    | 'name'
    | 'version'
    | 'nodeVersion'
    | 'state'
    | 'uptimeMs'
    | 'generation'
    | 'size'
    | 'crashLoop'
    | 'steering'
    | 'steeringReason'
    | 'rollout'
    | 'addresses'
  > & { readonly release: string | null };
  readonly workers: readonly PageWorker[];
}

export type PageCommand = 'reload' | 'promote' | 'abort' | 'scale';

/** What the page hears, as server-sent events of these names. */
export interface PageEvents {
  /** Whether this reader may command: with the token that it has, with one that it has not sent, or not at all. */
  readonly access: { readonly commands: 'yes' | 'token' | 'no' };
  readonly history: {
    readonly at: readonly number[];
    readonly values: readonly PageValues[];
    readonly marks: readonly PageMark[];
  };
  readonly now: PageNow;
  readonly mark: PageMark;
  /** Lines of the log as they are, JSON; `left` could not be told. */
  readonly logs: { readonly lines: readonly string[]; readonly left: number };
}

export type PageEvent = {
  readonly [K in keyof PageEvents]: { readonly event: K; readonly data: PageEvents[K] };
}[keyof PageEvents];

// ---- dashboard --------------------------------------------------------------------------------------------------

/** A supervisor at a glance. */
export interface DashboardFacts {
  readonly pid: number;
  readonly version: string;
  readonly state: SupervisorState;
  readonly uptimeMs: number;
  readonly generation: number;
  /** The folder of the release. */
  readonly release: string | null;
  readonly size: number;
  readonly ready: number;
  readonly crashLoop: boolean;
  /** Workers that crashed, failed or hung since it began. */
  readonly restarts: number;
  readonly rollout: Pick<RolloutStatus, 'state' | 'reason'>;
  /** By second. */
  readonly requests: number | null;
  readonly errors: number | null;
  readonly p99Ms: number | null;
  /** In processors. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  /** Where its own page is; null where it has no admin address. */
  readonly page: string | null;
}

export interface DashboardRow {
  readonly name: string;
  /** null: it does not answer. */
  readonly facts: DashboardFacts | null;
}

/** All supervisors of a runtime folder, by name. */
export interface DashboardList {
  readonly folder: string;
  readonly rows: readonly DashboardRow[];
}
