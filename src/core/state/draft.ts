/** What handlers of the core work on: the state of a step while it is being made. */
import type { Effect } from './effects.js';
import type { WorkerEvent, WorkerEventType } from './events.js';
import type { State, Worker } from './types.js';

/** What an event means for a worker that is in one of its states. */
export type WorkerHandler<T extends WorkerEventType> = (
  draft: Draft,
  worker: Worker,
  event: Extract<WorkerEvent, { type: T }>,
) => void;

/** The state of one step while it is being made: handlers write `state` and push `effects`. */
export interface Draft {
  readonly state: State;
  readonly effects: Effect[];
  readonly now: number;
}
