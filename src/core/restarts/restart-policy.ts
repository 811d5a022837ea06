/** When a crashed worker is replaced, and when crashes are too many. Pure functions over times. */
import type { Policy } from '../state/types.js';

/**
 * Delay in milliseconds before the `attempts`-th replacement in a row (1 is the first): exponential, capped, and spread
 * over the upper half of the interval, so that workers that crashed together do not come back together.
 *
 * @param chance 0 (inclusive) to 1 (exclusive)
 */
export function backoff(
  attempts: number,
  policy: Pick<Policy, 'backoffBaseMs' | 'backoffMaxMs' | 'backoffFactor'>,
  chance: number,
): number {
  const grown = policy.backoffBaseMs * policy.backoffFactor ** Math.max(0, attempts - 1);
  const capped = Math.min(policy.backoffMaxMs, grown);
  return Math.round(capped * (0.5 + chance / 2));
}

/**
 * Restart intensity, the rule of Erlang/OTP's supervisor: more than `maxRestarts` crashes within `restartWindowMs`.
 *
 * @param crashes times of crashes, oldest first
 * @returns the crashes that still count, and whether they are too many
 */
export function restartIntensity(
  crashes: readonly number[],
  now: number,
  policy: Pick<Policy, 'maxRestarts' | 'restartWindowMs'>,
): { readonly crashes: number[]; readonly exceeded: boolean } {
  const recent = crashes.filter((time) => now < time + policy.restartWindowMs);
  return { crashes: recent, exceeded: recent.length > policy.maxRestarts };
}
