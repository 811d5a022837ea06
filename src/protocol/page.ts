/** What the pages show: that of a supervisor at its admin address, and the dashboard of all. */
import type { RolloutStatus, SupervisorState, SupervisorStatus, WorkerStatus } from './status.js';

/** What the last hour is told of, in this order: rates by second, latency and delay in ms, CPU in processors. */
export const PAGE_FIELDS = [
  'requests',
  'errors',
  'p50Ms',
  'p99Ms',
  'loopDelayMs',
  'memoryBytes',
  'cpu',
  'connections',
  'queue',
] as const;

export type PageField = (typeof PAGE_FIELDS)[number];

/** One for each of `PAGE_FIELDS`; null where it is not known. */
export type PageValues = readonly (number | null)[];

export interface PageMark {
  /** One that is told again takes the place of the first. */
  readonly id: number;
  /** Seconds since 1970. */
  readonly at: number;
  readonly kind: 'reload' | 'rolledBack' | 'crash' | 'recycled' | 'scale';
  /** Why, for people, in a line. */
  readonly text: string;
  /** The last that a worker wrote, or where its JavaScript hung, the innermost call first. */
  readonly details: readonly string[];
}

export interface PageWorker
  extends Pick<
    WorkerStatus,
    'id' | 'slot' | 'generation' | 'pid' | 'state' | 'uptimeMs' | 'restarts' | 'restartReason'
  > {
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
  /** The supervisor stops. In seconds since 1970. */
  readonly ended: { readonly at: number };
  /** Lines of the log as they are, JSON; `left` could not be told. */
  readonly logs: { readonly lines: readonly string[]; readonly left: number };
}

export type PageEvent = {
  readonly [K in keyof PageEvents]: { readonly event: K; readonly data: PageEvents[K] };
}[keyof PageEvents];

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
