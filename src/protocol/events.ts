/** What happens in a supervisor, for who follows it: `GET /v1/events`. */
import type { RolloutState, SupervisorState, WorkerState } from './status.js';

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
  /** It is being rolled back. */
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
