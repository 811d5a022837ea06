/**
 * What the core knows: its state, and the parts of it. Owns no behaviour.
 *
 * All times are milliseconds of a monotonic clock that the caller brings along.
 */
import type { ListenMode, SupervisorState, Totals, WorkerState } from '../../protocol/status.js';
import type { AddressKey } from '../../protocol/worker.js';

/** What a generation asks of its workers. Comes from the configuration, one for each generation. */
export interface Policy {
  /** By which the caller finds code, configuration and environment again; the core only carries it. */
  readonly release?: number;
  readonly ready: 'listening' | 'message' | 'running';
  readonly readyTimeoutMs: number;
  /** A program accepts as soon as it likes: nobody can tell it to wait. */
  readonly cannotWait?: boolean;
  /** How long a worker must have been up to be ready, where `ready` is `running` and it does not say so itself. */
  readonly minUptimeMs: number;
  /** Whether a worker must answer well when its health is asked, before it is ready and while it soaks. */
  readonly health: boolean;
  readonly healthIntervalMs: number;
  readonly soakMs: number;
  /** How long the first worker of a release must stay up before anything else of its rollout goes on; 0 for no trial. */
  readonly trialMs: number;
  readonly surge: number;
  /** How many workers of one slot may drain at a time. */
  readonly maxDraining: number;
  readonly drainTimeoutMs: number;
  /** Over which idle clients of a draining worker are asked to leave. */
  readonly spreadMs: number;
  /** Whether open connections go to another worker where they can. */
  readonly handover: boolean;
  readonly killTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly backoffFactor: number;
  readonly backoffResetMs: number;
  readonly maxRestarts: number;
  readonly restartWindowMs: number;
  /** What a crash loop leads to: further tries at the longest delay, or the supervisor's end. */
  readonly onCrashLoop: 'keep' | 'exit';
  /** Exit codes by which a worker says that it is not to be replaced. */
  readonly stopExitCodes: readonly number[];
  /** Over which a new worker comes to its full share of connections; 0 for at once. */
  readonly slowStartMs: number;
}

/** At which a worker is replaced though nothing is broken yet. */
export type LimitName = 'maxMemory' | 'maxRequests' | 'maxAge' | 'maxEventLoopDelay';

/** States of a worker that the core still knows; `gone` means that it is no longer in the state. */
export type LiveState = Exclude<WorkerState, 'gone'>;

export interface Worker {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  readonly startedAt: number;
  pid: number | null;
  state: LiveState;
  /** When the present state has lasted too long; null where nothing is waited for. */
  deadline: number | null;
  /** Addresses that another process holds and that it waits for: that is not its own time. */
  awaiting: AddressKey[];
  /** Addresses on which it believes to listen, and whose sockets are still to come: others of ours are in the way. */
  contested: AddressKey[];
  /** What it had left to become ready when that began; null while it waits for none. */
  leftMs: number | null;
  readyAt: number | null;
  /** Since when it accepts, being ready: one that was held is cold until then. */
  acceptsSince: number | null;
  saidReady: boolean;
  /** Its health has been asked for, and it owes the answer. */
  owesHealth: boolean;
  /** Whether it has ever answered well. */
  healthy: boolean;
  /** When its health is to be asked (again); null while an answer is awaited, or none is wanted. */
  healthAt: number | null;
  /** What its health lacked when it was asked last; null where nothing. */
  healthReason: string | null;
  /** Why it is to be replaced, when there is nothing else to do, though nothing is broken yet; null where it is not. */
  recycleReason: string | null;
  /** Addresses on whose socket of its own slot it accepts. */
  listening: AddressKey[];
  /** Those of them that were still open a moment after it began to: one that only looks whether a port is free has none. */
  steady: AddressKey[];
  /** Those of them that count already, because others of its generation have shown that what they open stays open. */
  assumed: AddressKey[];
  /** Those that it has closed though nobody asked it to, since it was ready. */
  lost: AddressKey[];
  /** Those that it served, and serves no more, though it serves on. */
  givenUp: AddressKey[];
  /** When it is decided what that means, where it can still serve; null while there is nothing to decide. */
  judgeLossAt: number | null;
  /** The last one that it has closed again at once. */
  lookedAt: AddressKey | null;
  /** Those on which it listened when it became ready: its application's, and not those of a session. */
  lasting: AddressKey[];
  /** Why it could not listen on some, as its application was told; what it made of that shows. */
  refused: { readonly key: AddressKey; readonly reason: string }[];
  /** How people are told of those whose port the kernel has chosen. */
  shown?: Readonly<Record<AddressKey, string>>;
  /** Those whose socket it has been given: it may accept there before that is heard of. */
  given: AddressKey[];
  /** What it listened on when it began to drain. */
  served: AddressKey[];
  /** Its time to become ready is over, and it is being found out what it does instead. */
  looking: boolean;
  /** Others serve its clients, and it accepts nothing before it is ready, or has proved itself: what listens for it has not begun to. */
  held: boolean;
  /** Its process has ended; its last words are still being collected. */
  ended: boolean;
  /** Its event loop gave no sign of life: it was not asked to end, since it would not hear. */
  hung: boolean;
  /** It was to be taken over, did not attach, and is given up. */
  unattached: boolean;
  /** How long it is waited for after SIGKILL, this time. */
  killAgainMs: number;
  /** Why it goes before its time; null when it was asked to, or has not been. */
  endReason: string | null;
}

/** `slot` is null for a socket that all slots share. */
export interface SocketId {
  readonly slot: number | null;
  readonly key: AddressKey;
}

export interface Slot {
  readonly slot: number;
  /** Crashes in a row, for the backoff. */
  attempts: number;
  /** No worker is started before; null when nothing has to be waited for. */
  retryAt: number | null;
  /** Times of the crashes that count for the restart intensity. */
  crashes: number[];
  /** They are too many: tries at the longest delay. */
  crashLoop: boolean;
  /** How many workers in a row came to a limit before they were old. */
  early: number;
  /** None is recycled before; null when nothing has to be waited for. */
  recycleAt: number | null;
  /** How often a worker of the slot was replaced because it crashed. */
  restarts: number;
  /** How often one was replaced because it had come to a limit. */
  recycled: number;
  /** Why the last one was replaced, of whatever kind the reason was. */
  reason: string | null;
  /** Its worker has ended and said that it is not to be replaced. */
  finished: boolean;
  /** Addresses of the workers of the accepted generation that were ready here, and that none of them has closed. */
  addresses: AddressKey[];
  /** Those of them that a successor must listen on. */
  lasting: AddressKey[];
  /** Whether the first start of this slot has failed; only looked at while the supervisor starts. */
  failedStart: boolean;
}

/** A worker of a supervisor that has gone, as it is seen from outside before it has attached. */
export interface Orphan {
  readonly worker: number;
  readonly slot: number;
  readonly generation: number;
  readonly pid: number;
}

/** What the supervisor that has gone knew, and its workers do not: the next one goes on with it. */
export interface Before {
  readonly generation: number;
  readonly nextWorker: number;
  /** How many slots there were, and how many its configuration asked for; null where that is not known. */
  readonly size: number | null;
  readonly configuredSize: number | null;
  readonly totals: Totals;
  readonly slots: readonly Pick<Slot, 'slot' | 'restarts' | 'recycled' | 'reason'>[];
  /** The last one, where that has come to its end. */
  readonly rollout: LastRollout | null;
}

export interface LastRollout {
  readonly state: 'done' | 'rolledBack';
  readonly from: number;
  readonly to: number;
  readonly reason: string | null;
}

/**
 * The workers of a supervisor that has gone are being taken over. As long as one of them is not settled nothing is started,
 * nothing is bound, and reloads wait: it may hold the socket of a slot.
 */
export interface Takeover {
  /** Who has not attached yet. */
  awaited: Orphan[];
  /** Given up: their sockets are being taken from them, or they are being killed. */
  seized: number[];
  /** When those who are awaited are given up, or those who are being seized no longer waited for. */
  until: number;
}

/** One worker of a new release beside all of the old, in a slot of its own, with a share of the new connections. */
export interface Canary {
  readonly slot: number;
  /** Above 0, below 1. */
  readonly share: number;
  readonly forMs: number;
  /** When it has had its time; null until it is ready. */
  until: number | null;
  /** The last judgement is being made. */
  asked: boolean;
}

export interface Rollout {
  /** `rollingBack` is told to the outside as running. */
  state: 'none' | 'running' | 'rollingBack' | 'done' | 'rolledBack';
  from: number;
  to: number;
  reason: string | null;
  /** Requests that are answered when it ends. */
  requests: number[];
  /** The size to take on once it is done, if it comes to that; null leaves the size as it is. */
  size: number | null;
  /** While there is one, the slots stay with the generation that they have. */
  canary: Canary | null;
  /** While its first worker is on trial, in that slot, beside the one that serves there: all slots stay as they are. */
  trial: { slot: number } | null;
  /** A worker of it has closed what counted already, as one that looks at its port for long does: each gets a trial of its own. */
  trialForEach: boolean;
  /** Requests to roll it back, answered when that is done. */
  aborts: number[];
}

export interface PendingScale {
  readonly request: number;
  readonly size: number;
}

/** What a reload or a restart asks for: the next generation. */
export interface Renewal {
  readonly requests: number[];
  readonly policy: Policy;
  /** null leaves the size as it is. */
  readonly size: number | null;
  /** null for none. */
  readonly canary: { readonly share: number; readonly forMs: number } | null;
}

export interface State {
  phase: SupervisorState | 'restarting';
  /** Time of the last step: whatever was due then has been done. */
  steppedAt: number;
  /** Whether the start has had its good end; a failure of all slots after it does not end the supervisor. */
  announced: boolean;
  readonly listenMode: ListenMode;
  size: number;
  /** The newest generation. Numbers are never used again. */
  generation: number;
  /** The generation that every slot is on its way to. */
  target: number;
  /** The last generation that all slots have reached: where a failed rollout goes back to. */
  stable: number;
  policies: Record<number, Policy>;
  slots: Slot[];
  workers: Worker[];
  nextWorker: number;
  rollout: Rollout;
  /** A reload that came while the supervisor could not begin one; the newest wins. */
  queuedReload: Renewal | null;
  scales: PendingScale[];
  /** Until each slot has been up again, or one has failed. */
  restart: Renewal | null;
  /** Slots in which somebody has served since the newest of `scales` and `restart`; of no meaning where neither is. */
  reached: number[];
  stopRequests: number[];
  /** Some slot crashes too often. */
  crashLoop: boolean;
  /** The crash loop is to end the supervisor. */
  givesUp: boolean;
  totals: Totals;
  /** Why the supervisor fails, once it does. */
  failureReason: string | null;
  /** null once all workers of the supervisor before are settled, or where there were none. */
  takeover: Takeover | null;
}
