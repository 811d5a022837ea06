/** What a supervisor that is to leave its workers to another one may be asked: the reading of a request's body. Pure. */
import type { LeaveOptions } from '../../protocol/control.js';

/** For the answer to a body that is none. */
export const LEAVE_BODY_ALLOWED = 'must be empty, or {"dryRun":true}';

/**
 * @param body as parsed from JSON; undefined for none
 * @returns null for what is no such request: also for members that nobody knows, which may be misspelt
 */
export function readLeaveOptions(body: unknown): LeaveOptions | null {
  if (body === undefined) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  if (Object.keys(body).some((key) => key !== 'dryRun')) return null;
  const { dryRun = false } = body as { readonly dryRun?: unknown };
  return typeof dryRun === 'boolean' ? { dryRun } : null;
}
