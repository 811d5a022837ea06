/** What a description may be asked for, and what one is: the reading of a request's body and of its answer. Pure. */
import type { DescribeOptions, Description } from '../../protocol/control.js';

/** For the answer to a body that is none. */
export const DESCRIBE_BODY_ALLOWED =
  'must be empty, or like {"of":3,"secrets":true}; of is the id of a worker, a slot, or "first"';

const KNOWN: ReadonlySet<string> = new Set(['of', 'secrets']);

/**
 * @param body as parsed from JSON; undefined for none
 * @returns null for what is no such request
 */
export function readDescribeOptions(body: unknown): DescribeOptions | null {
  if (body === undefined) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  if (!Object.keys(body).every((key) => KNOWN.has(key))) return null;
  const { of, secrets = false } = body as { of?: unknown; secrets?: unknown };
  if (typeof secrets !== 'boolean') return null;
  if (of === undefined) return { secrets };
  const isKnown = of === 'first' || (Number.isSafeInteger(of) && (of as number) >= 0);
  return isKnown ? { of: of as number | 'first', secrets } : null;
}

/** As far as what shows it relies on. @throws Error for what is no description: the socket may be anybody's */
export function checkDescription(value: unknown): Description {
  const { release, settings, environment, restarts, atMs } = (value ?? {}) as Partial<Description>;
  const hasTexts = (row: object, ...names: string[]) =>
    names.every((name) => typeof (row as Record<string, unknown>)[name] === 'string');
  const isList = (list: unknown, fits: (row: object) => boolean) =>
    Array.isArray(list) && list.every((row) => typeof row === 'object' && row !== null && fits(row));
  const isDescription =
    typeof atMs === 'number' &&
    typeof release === 'object' &&
    release !== null &&
    hasTexts(release, 'folder', 'script') &&
    Number.isFinite(release.loadedAtMs) &&
    Number.isFinite(release.scriptChangedAtMs) &&
    isList(settings, (row) => hasTexts(row, 'name', 'source', 'path')) &&
    isList(environment, (row) => hasTexts(row, 'name', 'value', 'source')) &&
    isList(restarts, (row) => hasTexts(row, 'what', 'reason') && Number.isFinite((row as { atMs?: number }).atMs));
  if (!isDescription) throw new Error('its answer is not a description as holdfast gives it');
  return value as Description;
}
