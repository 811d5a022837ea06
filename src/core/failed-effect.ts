/**
 * What an effect that could not be done leads to: an event, so that the core goes on with the facts. A pure function; the
 * loop calls it with whatever `perform` threw.
 */
import type { Effect, Event } from './types.js';

type Consequence<T extends Effect['do']> = (
  effect: Extract<Effect, { do: T }>,
  reason: string,
  chance: number,
) => Event | null;

/** Nothing follows, or a deadline of the core sees to it. */
const nothing = (): null => null;

const CONSEQUENCES: { readonly [T in Effect['do']]: Consequence<T> } = {
  spawn: ({ worker }, reason, chance) => ({
    type: 'exited',
    worker,
    code: null,
    signal: null,
    chance,
    lastLines: [reason],
  }),
  // It cannot be asked to finish what it has: SIGTERM is what is left.
  drain: ({ worker }) => ({ type: 'drained', worker }),
  // It drains on without another heir: its clients are asked to go elsewhere.
  link: nothing,
  terminate: nothing,
  kill: nothing,
  accept: ({ worker }, reason) => ({ type: 'failed', worker, reason: `a worker cannot be told to accept: ${reason}` }),
  askHealth: ({ worker }, reason) => ({ type: 'healthTold', worker, ailment: `it cannot be asked: ${reason}` }),
  diagnose: ({ worker }) => ({ type: 'diagnosed', worker }),
  // Nobody knows how it does, and a release that is not known to be good must not take over.
  judgeCanary: ({ generation }, reason) => ({
    type: 'canaryJudged',
    generation,
    verdict: 'worse',
    reason: `it cannot be compared: ${reason}`,
    final: true,
  }),
  adopt: nothing,
  release: ({ worker, socket }) => ({ type: 'released', worker, socket }),
  closeSocket: nothing,
  closeCustody: nothing,
  forgetGeneration: nothing,
  answer: nothing,
  announceStart: nothing,
  end: nothing,
  report: nothing,
};

/** @param chance 0 (inclusive) to 1 (exclusive), for the jitter of a backoff */
export function failedEffect(effect: Effect, reason: string, chance: number): Event | null {
  const consequence = CONSEQUENCES[effect.do] as Consequence<Effect['do']>;
  return consequence(effect, reason, chance);
}
