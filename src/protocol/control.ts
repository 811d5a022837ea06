/** What is asked of a supervisor over its control socket, and what it answers. */
import type { SupervisorEvent } from './events.js';
import type { LogFilter, LogQuery, RecentLogs } from './logs.js';
import type { SupervisorStatus } from './status.js';
import type { ProfileKind } from './worker.js';

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
  /** The rollout that is under way is to be rolled back. */
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
