/**
 * The words of the core: its state, the events it is told and the effects it asks for.
 *
 * Owns no behaviour. All times are milliseconds of a monotonic clock that the caller brings along.
 */
import type { MonotonicMs } from '../../monotonic.js';
import type { ListenMode, SupervisorState, Totals, WorkerState } from '../../protocol/status.js';
import type { AddressKey, OrphanAccount } from '../../protocol/worker.js';
import type { DrainReason } from '../../public.js';

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

/** Requests. `request` is answered by exactly one `answer` effect. */
export type RequestEvent =
  | { readonly type: 'start' }
  | {
      readonly type: 'reload';
      readonly request: number;
      readonly policy: Policy;
      readonly size: number | null;
      readonly canary?: { readonly share: number; readonly forMs: number } | null;
    }
  | { readonly type: 'promote' | 'abort'; readonly request: number }
  | { readonly type: 'restart'; readonly request: number; readonly policy: Policy; readonly size: number | null }
  | { readonly type: 'scale'; readonly request: number; readonly size: number }
  | { readonly type: 'stop'; readonly request: number }
  | { readonly type: 'stopNow' };

/** Observations of one worker. */
export type WorkerEvent = {
  readonly worker: number;
} /** It has lost the supervisor that had started it, has come to this one, and has told what it is and does. */ & (
  | ({ readonly type: 'attached' } & Omit<Orphan, 'worker'> & OrphanAccount)
  /** The sockets of one that did not attach are in custody, or `reason` says why they cannot be had. Answers `seize`. */
  | { readonly type: 'seized'; readonly reason: string | null }
  | { readonly type: 'spawned'; readonly pid: number }
  /** `address` is how people are told of it, where the key has no port: the kernel has chosen that. */
  | { readonly type: 'bound'; readonly key: AddressKey; readonly address?: string }
  /** A moment later it listens there still. */
  | { readonly type: 'stayed'; readonly key: AddressKey }
  | { readonly type: 'closed'; readonly key: AddressKey }
  | { readonly type: 'saidReady' }
  | { readonly type: 'drained' }
  /** Nobody takes its open connections any more. */
  | { readonly type: 'unlinked' }
  /** It wants to go, and somebody to take its place. */
  | { readonly type: 'resigned' }
  /** Its channel is closed, or `reason` says why what comes over it is of no use. */
  | { readonly type: 'disconnected'; readonly reason?: string }
  /** The answer to `askHealth`: `reason` says what is wrong, null that nothing is. */
  | { readonly type: 'healthTold'; readonly reason: string | null }
  /** No sign of life for too long. */
  | { readonly type: 'hung'; readonly silentMs: number }
  /** Where it hangs is known, as far as it can be. */
  | { readonly type: 'diagnosed' }
  /** What it does instead of listening, for people; null where nothing is to be seen. */
  | { readonly type: 'lookedAround'; readonly seen: string | null }
  /** It has come to a limit at which it is to be replaced. */
  | { readonly type: 'exceeded'; readonly limit: LimitName; readonly reason: string }
  /** It is not fit to serve: what it was to do could not be done. */
  | { readonly type: 'failed'; readonly reason: string }
  /** The process has ended; `exited` follows once its output has been read. */
  | { readonly type: 'ended' }
  /** The address cannot be had, and its server has been told so: `reason` is for the owner. */
  | {
      readonly type: 'bindFailed';
      readonly key: AddressKey;
      readonly reason: string;
      /** It is the supervisor that lacks something (descriptors, memory): no application can do anything about it. */
      readonly isOurs?: boolean;
    }
  /** Another address of ours is in the way: its server believes that it listens, and gets the socket as soon as it can be opened. */
  | { readonly type: 'contested'; readonly key: AddressKey }
  /** The address is held by another process and is waited for until `until`. */
  | { readonly type: 'bindDelayed'; readonly key: AddressKey; readonly until: MonotonicMs }
  | {
      readonly type: 'exited';
      readonly code: number | null;
      readonly signal: string | null;
      /** 0 to 1, for the jitter of the backoff: chance is an input, too. */
      readonly chance: number;
      /** The last lines that it wrote to standard error. */
      readonly lastLines: readonly string[];
      /** The kernel has killed a process for want of memory about then. */
      readonly oomKilled?: boolean;
      /** It was started by another supervisor: nobody can tell how it ended. */
      readonly isUntold?: boolean;
    }
);

export type Event =
  | RequestEvent
  | WorkerEvent
  /** Custody has opened it. `worker` is given it; `listened`: it comes from before this supervisor, and connections may wait in it. */
  | { readonly type: 'socketOpened'; readonly socket: SocketId; readonly worker?: number; readonly listened?: boolean }
  /** The canary has been compared with the others; `final` answers `judgeCanary`. */
  | {
      readonly type: 'canaryJudged';
      readonly generation: number;
      readonly verdict: 'good' | 'worse' | 'undecided';
      readonly reason: string | null;
      readonly final: boolean;
    }
  /** Before `start`: workers of a supervisor that has gone, who are expected to attach. */
  | { readonly type: 'orphansFound'; readonly orphans: readonly Orphan[]; readonly before?: Before }
  /** A deadline may have passed. */
  | { readonly type: 'ticked' };

export type WorkerEventType = WorkerEvent['type'];

/** What an event means for a worker that is in one of its states. */
export type WorkerHandler<T extends WorkerEventType> = (
  draft: Draft,
  worker: Worker,
  event: Extract<WorkerEvent, { type: T }>,
) => void;

export type ReportLevel = 'debug' | 'info' | 'warn' | 'error';

export type Effect =
  | {
      readonly do: 'spawn';
      readonly worker: number;
      readonly slot: number;
      readonly generation: number;
      /** It is not to accept before `accept`. */
      readonly held: boolean;
    }
  /** It has attached: from now on it is a worker as any other. */
  | { readonly do: 'takeIn'; readonly worker: number; readonly slot: number; readonly generation: number }
  /** It has not attached: take its sockets into custody. Answered by `seized`, always. */
  | { readonly do: 'seize'; readonly worker: number }
  /** All workers of the supervisor before are settled: who waits for a socket gets it, those who are `held` to accept later. */
  | { readonly do: 'endTakeover'; readonly held: readonly number[] }
  | { readonly do: 'accept'; readonly worker: number }
  | {
      readonly do: 'drain';
      readonly worker: number;
      readonly windowMs: number;
      readonly spreadMs: number;
      readonly reason: DrainReason;
      /** Workers that take over its open connections, the best first. */
      readonly recipients: readonly number[];
      /** Those it listens on, or did. */
      readonly addresses: readonly AddressKey[];
    }
  /** One that drains has lost a recipient, and gets others. */
  | {
      readonly do: 'link';
      readonly worker: number;
      readonly recipients: readonly number[];
      readonly addresses: readonly AddressKey[];
    }
  | { readonly do: 'terminate'; readonly worker: number }
  | { readonly do: 'kill'; readonly worker: number }
  /** Answered by `healthTold`, always. */
  | { readonly do: 'askHealth'; readonly worker: number }
  /** Find out where its event loop hangs; answered by `diagnosed`, or not. */
  | { readonly do: 'diagnose'; readonly worker: number }
  /** Find out what it does instead of listening; answered by `lookedAround`, or not. */
  | { readonly do: 'lookAround'; readonly worker: number }
  /** The canary has had its time: answered by `canaryJudged` with `final`. */
  | { readonly do: 'judgeCanary'; readonly generation: number }
  | { readonly do: 'closeCustody' }
  | { readonly do: 'forgetGeneration'; readonly generation: number }
  | { readonly do: 'answer'; readonly request: number; readonly ok: boolean; readonly reason: string | null }
  /** Every slot has had its first try, and at least one is ready. */
  | { readonly do: 'announceStart' }
  /** Nothing is left to do: the supervisor ends. `reason` is null for a stop that was asked for. */
  | { readonly do: 'end'; readonly reason: string | null }
  | {
      readonly do: 'report';
      readonly level: ReportLevel;
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };

/** The state of one step while it is being made: handlers write `state` and push `effects`. */
export interface Draft {
  readonly state: State;
  readonly effects: Effect[];
  readonly now: number;
}
