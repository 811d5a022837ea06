/**
 * What an effect that could not be done leads to: an event, so that the core goes on with the facts. A pure function; the
 * loop calls it with whatever `perform` threw.
 */
import type { AnyEffect, AnyEvent } from './supervision.js';

type Consequence<T extends AnyEffect['do']> = (
  effect: Extract<AnyEffect, { do: T }>,
  reason: string,
  chance: number,
) => AnyEvent | null;

/** Nothing follows, or a deadline of the core sees to it. */
const nothing = (): null => null;

const CONSEQUENCES: { readonly [T in AnyEffect['do']]: Consequence<T> } = {
  spawn: ({ worker }, reason, chance) => ({
    type: 'exited',
    worker,
    code: null,
    signal: null,
    chance,
    lastLines: [reason],
  }),
  takeIn: ({ worker }, reason) => ({ type: 'failed', worker, reason: `a worker cannot be taken over: ${reason}` }),
  seize: ({ worker }, reason) => ({ type: 'seized', worker, reason }),
  endTakeover: nothing,
  // It cannot be asked to finish what it has: SIGTERM is what is left.
  drain: ({ worker }) => ({ type: 'drained', worker }),
  // It drains on without another recipient: its clients are asked to go elsewhere.
  link: nothing,
  terminate: nothing,
  kill: nothing,
  accept: ({ worker }, reason) => ({ type: 'failed', worker, reason: `a worker cannot be told to accept: ${reason}` }),
  askHealth: ({ worker }, reason) => ({ type: 'healthTold', worker, reason: `it cannot be asked: ${reason}` }),
  diagnose: ({ worker }) => ({ type: 'diagnosed', worker }),
  lookAround: ({ worker }) => ({ type: 'lookedAround', worker, seen: null }),
  // Nobody knows how it does, and a release that is not known to be good must not take over.
  judgeCanary: ({ generation }, reason) => ({
    type: 'canaryJudged',
    generation,
    verdict: 'worse',
    reason: `it cannot be compared: ${reason}`,
    final: true,
  }),
  // Another one is asked.
  adopt: ({ worker, socket }) => ({ type: 'notAdopted', worker, socket }),
  release: ({ worker, socket }) => ({ type: 'released', worker, socket }),
  // It is still there, and connections may wait in it: its end is tried again in due time.
  closeSocket: ({ socket }) => ({ type: 'socketOpened', socket, listened: true }),
  widen: ({ worker, socket }) => ({ type: 'notAdopted', worker, socket }),
  openContested: ({ worker, key }, reason) => ({
    type: 'failed',
    worker,
    reason: `a worker cannot be given ${key}: ${reason}`,
  }),
  refuseContested: nothing,
  closeCustody: nothing,
  forgetGeneration: nothing,
  answer: nothing,
  announceStart: nothing,
  end: nothing,
  report: nothing,
};

/** @param chance 0 (inclusive) to 1 (exclusive), for the jitter of a backoff */
export function failedEffect(effect: AnyEffect, reason: string, chance: number): AnyEvent | null {
  const consequence = CONSEQUENCES[effect.do] as Consequence<AnyEffect['do']>;
  return consequence(effect, reason, chance);
}
