/** What the core is told: requests, and what is observed. Owns no behaviour; times as in the state. */
import type { MonotonicMs } from '../../monotonic.js';
import type { AddressKey, OrphanAccount } from '../../protocol/worker.js';
import type { Before, LimitName, Orphan, Policy, SocketId } from './types.js';

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
