/** Courses of things for the simulation: what the owner asks for and what fate does, and when. */
import fc from 'fast-check';
import type { Policy } from '../../src/core/state/types.js';
import type { AnyEffect } from '../../src/core/supervision.js';
import type { ListenMode } from '../../src/protocol/status.js';
import { QUALITIES, type Quality, STOP_EXIT_CODE } from './application.js';
import { makePolicy } from './driver.js';

export interface Release {
  readonly quality: Quality;
  readonly ready: 'listening' | 'message' | 'running';
  readonly soakMs: number;
  readonly trialMs: number;
  readonly surge: number;
  readonly health: boolean;
  /** A crash loop of it ends the supervisor. */
  readonly exits: boolean;
}

export type Action = { readonly afterMs: number } & (
  | {
      readonly do: 'reload' | 'restart';
      readonly release: Release;
      readonly size: number | null;
      readonly canary?: { readonly share: number; readonly forMs: number } | null;
    }
  | { readonly do: 'scale'; readonly size: number }
  /** Connections wait in some queue for longer than they should. */
  | { readonly do: 'congest' }
  /** Decided by hand. */
  | { readonly do: 'promote' | 'abort' }
  /** A worker's loop stops to turn; a worker comes to a limit. */
  | { readonly do: 'hang' | 'exceed' }
  | { readonly do: 'stop' | 'stopNow' | 'killWorker' | 'disconnectWorker' | 'closeAddress' | 'reopenAddress' }
);

export interface Setup {
  readonly seed: number;
  readonly size: number;
  readonly listenMode: ListenMode;
  /** In reuseport mode only. */
  readonly steered: boolean;
  /** How often an effect cannot be done, 0 to 1. */
  readonly faults: number;
  /** What every good application listens on. */
  readonly ports: readonly string[];
  readonly first: Release;
  readonly actions: readonly Action[];
}

/** Longer than the one that dies young lives. */
export const TRIAL_MS = 500;

const sizes = fc.integer({ min: 1, max: 6 });

export function releases(...qualities: Quality[]): fc.Arbitrary<Release> {
  return fc.record({
    quality: fc.constantFrom(...qualities),
    ready: fc.constantFrom('listening', 'message', 'running'),
    soakMs: fc.constantFrom(0, 300),
    trialMs: fc.constantFrom(0, 0, TRIAL_MS),
    surge: fc.integer({ min: 1, max: 4 }),
    health: fc.boolean(),
    exits: fc.constant(false),
  });
}

export const anyRelease = fc.oneof(
  { weight: 3, arbitrary: releases('good') },
  { weight: 4, arbitrary: releases(...QUALITIES) },
  { weight: 1, arbitrary: releases(...QUALITIES).map((release) => ({ ...release, exits: true })) },
);

export function actions(release: fc.Arbitrary<Release>): fc.Arbitrary<Action> {
  const afterMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 3_000 }));
  const size = fc.option(sizes, { nil: null, freq: 3 });
  const canary = fc.option(
    fc.record({ share: fc.constantFrom(0.01, 0.05, 0.5), forMs: fc.integer({ min: 1, max: 2_000 }) }),
    { nil: null },
  );
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ afterMs, do: fc.constant('reload'), release, size, canary }) },
    { weight: 2, arbitrary: fc.record({ afterMs, do: fc.constantFrom('promote', 'abort') }) },
    { weight: 4, arbitrary: fc.record({ afterMs, do: fc.constantFrom('hang', 'exceed') }) },
    { weight: 1, arbitrary: fc.record({ afterMs, do: fc.constant('restart'), release, size }) },
    { weight: 3, arbitrary: fc.record({ afterMs, do: fc.constant('scale'), size: sizes }) },
    { weight: 4, arbitrary: fc.record({ afterMs, do: fc.constant('killWorker') }) },
    {
      weight: 1,
      arbitrary: fc.record({ afterMs, do: fc.constantFrom('disconnectWorker', 'closeAddress', 'reopenAddress') }),
    },
    { weight: 3, arbitrary: fc.record({ afterMs, do: fc.constant('congest') }) },
    { weight: 1, arbitrary: fc.record({ afterMs, do: fc.constantFrom('stop', 'stopNow') }) },
  ) as fc.Arbitrary<Action>;
}

/** @param faults whether effects may fail: then a good release can be rolled back, too */
export function setups(
  first: fc.Arbitrary<Release>,
  action: fc.Arbitrary<Action>,
  faults = false,
): fc.Arbitrary<Setup> {
  return fc.record({
    seed: fc.integer(),
    size: sizes,
    listenMode: fc.constantFrom('reuseport', 'reuseaddr'),
    steered: fc.boolean(),
    faults: faults ? fc.constantFrom(0, 0.05, 0.3) : fc.constant(0),
    ports: fc.constantFrom(['0.0.0.0:80'], ['0.0.0.0:80', '0.0.0.0:81'], ['0.0.0.0:80', '127.0.0.1:0#0']),
    first,
    actions: fc.array(action, { maxLength: 8 }),
  });
}

/** @param number of the release, 0 for the first */
export function policyOf({ ready, soakMs, trialMs, surge, health, exits }: Release, number: number): Policy {
  return makePolicy({
    release: number,
    ready,
    soakMs,
    trialMs,
    surge,
    maxDraining: 2,
    readyTimeoutMs: 2_000,
    drainTimeoutMs: 1_000,
    spreadMs: 500,
    handover: true,
    killTimeoutMs: 300,
    backoffBaseMs: 50,
    backoffMaxMs: 1_000,
    backoffResetMs: 3_000,
    maxRestarts: 3,
    restartWindowMs: 4_000,
    health,
    healthIntervalMs: 100,
    onCrashLoop: exits ? 'exit' : 'keep',
    stopExitCodes: [STOP_EXIT_CODE],
    slowStartMs: 0,
  });
}

const FALLIBLE: readonly AnyEffect['do'][] = [
  'spawn',
  'drain',
  'accept',
  'terminate',
  'kill',
  'askHealth',
  'diagnose',
  'judgeCanary',
  'adopt',
  'closeSocket',
];

/** Whether the system may refuse it. */
export function mayFail(effect: AnyEffect): boolean {
  return FALLIBLE.includes(effect.do);
}
