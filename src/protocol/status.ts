/** How a supervisor is: `GET /v1/status`, and what others tell of it. */
import type { ConnectionCounts, WorkerFigures } from './measured.js';

export type ListenMode = 'reuseport' | 'reuseaddr';

export type WorkerState = 'starting' | 'ready' | 'draining' | 'terminating' | 'killing' | 'gone';

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
  /** Until it is promoted or rolled back; null before it is ready. */
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
