/** What an upgrade may be asked for: the reading of a request's body. Pure. */
import path from 'node:path';
import type { UpgradeOptions } from '../../protocol/control.js';

/** For the answer to a body that is none. */
export const UPGRADE_BODY_ALLOWED = 'must be empty, or like {"node":"/opt/node-24/bin/node"}: an absolute path';

/**
 * @param body as parsed from JSON; undefined for none
 * @returns null for what is no request for an upgrade: also for members that nobody knows, which may be misspelt
 */
export function readUpgradeOptions(body: unknown): UpgradeOptions | null {
  if (body === undefined) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  if (Object.keys(body).some((key) => key !== 'node')) return null;
  const { node } = body as { readonly node?: unknown };
  if (node === undefined) return {};
  return typeof node === 'string' && path.isAbsolute(node) && !node.includes('\0') ? { node } : null;
}
