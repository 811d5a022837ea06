/**
 * What a reload may be asked for: the limits, for the command line too, and the reading of a request's body. Pure.
 */
import type { ReloadOptions } from '../../protocol/control.js';

/** A canary with more of the new connections would be no canary. */
export const MOST_CANARY_SHARE = 0.5;
/** How long a canary may be watched, in milliseconds. */
export const CANARY_TIME_MS = { least: 1_000, most: 24 * 3_600_000 } as const;

/** For the answer to a body that is none. */
export const RELOAD_BODY_ALLOWED = `must be empty, {"dryRun":true}, or like {"canary":{"share":0.05,"forMs":120000}}; share is above 0 and at most ${MOST_CANARY_SHARE}, forMs from ${CANARY_TIME_MS.least} to ${CANARY_TIME_MS.most}`;

export function isCanaryShare(share: unknown): share is number {
  return typeof share === 'number' && share > 0 && share <= MOST_CANARY_SHARE;
}

export function isCanaryTimeMs(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= CANARY_TIME_MS.least && ms <= CANARY_TIME_MS.most;
}

/**
 * @param body as parsed from JSON; undefined for none
 * @returns null for what is no request for a reload: also for members that nobody knows, which may be misspelt
 */
export function readReloadOptions(body: unknown): ReloadOptions | null {
  if (body === undefined) return {};
  if (!hasOnly(body, ['dryRun', 'canary'])) return null;
  const { dryRun = false, canary } = body;
  if (typeof dryRun !== 'boolean') return null;
  if (canary === undefined) return dryRun ? { dryRun } : {};
  if (dryRun || !hasOnly(canary, ['share', 'forMs'])) return null;
  const { share, forMs } = canary;
  return isCanaryShare(share) && isCanaryTimeMs(forMs) ? { canary: { share, forMs } } : null;
}

function hasOnly<K extends string>(value: unknown, keys: readonly K[]): value is { readonly [key in K]?: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).every((key) => (keys as readonly string[]).includes(key));
}
