/** What a profile may be asked for: the reading of a request's body. Pure. */
import path from 'node:path';
import type { InspectOptions, ProfileOptions } from '../../protocol/control.js';
import type { ProfileKind } from '../../protocol/worker.js';

/** For the answer to a body that is none. */
export const PROFILE_BODY_ALLOWED =
  'must be like {"of":3,"what":"cpu","forMs":10000,"file":"/tmp/x.cpuprofile","id":"DEVICE INODE"}; what is cpu, heap or sampling, forMs from 100 to 600000';

/** How long a profile may take, in milliseconds. */
export const PROFILE_MS = { least: 100, most: 600_000 } as const;
const KINDS: readonly unknown[] = ['cpu', 'heap', 'sampling'] satisfies ProfileKind[];
const LONGEST_PATH = 4_096;

export function isProfileTimeMs(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= PROFILE_MS.least && ms <= PROFILE_MS.most;
}

/** @returns null for what is no such request */
export function readProfileOptions(body: unknown): ProfileOptions | null {
  if (typeof body !== 'object' || body === null) return null;
  const { of, what, forMs, file, id } = body as Record<string, unknown>;
  if (!isWorker(of) || !KINDS.includes(what) || !isProfileTimeMs(forMs)) return null;
  if (typeof file !== 'string' || !path.isAbsolute(file) || file.length > LONGEST_PATH || file.includes('\0'))
    return null;
  if (typeof id !== 'string' || !/^\d{1,20} \d{1,20}$/.test(id)) return null;
  return { of, what: what as ProfileKind, forMs, file, id };
}

/** @returns null for what is no such request */
export function readInspectOptions(body: unknown): InspectOptions | null {
  const { of } = (body ?? {}) as Record<string, unknown>;
  return isWorker(of) ? { of } : null;
}

function isWorker(of: unknown): of is number | 'first' {
  return of === 'first' || (Number.isSafeInteger(of) && (of as number) >= 0);
}
