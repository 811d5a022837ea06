/** What the core asks for. Owns no behaviour; times as in the state. */
import type { AddressKey } from '../../protocol/worker.js';
import type { DrainReason } from '../../public.js';

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
