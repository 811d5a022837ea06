/** The flags of `holdfast logs`, checked. Pure. */
import { parseDuration } from '../../config/schema/duration.js';
import { MOST_LINES } from '../../control/options/log-query.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { LOG_LEVELS, type LogQuery } from '../../protocol/logs.js';
import { flagText, type Invocation } from '../process/context.js';

export const DEFAULT_LINES = 20;
/** As people and `date -I` write it: a day, with a time of day or without. */
const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * @param now in milliseconds since 1970
 * @throws HoldfastError USAGE
 */
export function readLogFlags(invocation: Invocation, now: number): LogQuery {
  const since = flagText(invocation, 'since');
  const lines = numberOf(invocation, 'lines', MOST_LINES);
  const worker = numberOf(invocation, 'worker');
  const slot = numberOf(invocation, 'slot');
  const level = levelOf(flagText(invocation, 'level'));
  return {
    // Who asks for a time wants all of it.
    lines: lines ?? (since === undefined ? DEFAULT_LINES : MOST_LINES),
    follow: invocation.flags.follow === true,
    ...(worker !== undefined && { worker }),
    ...(slot !== undefined && { slot }),
    ...(level !== undefined && { level }),
    ...(since !== undefined && { sinceMs: sinceOf(since, now) }),
  };
}

function numberOf(invocation: Invocation, flag: string, most = 999_999_999): number | undefined {
  const text = flagText(invocation, flag);
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw usage(`cannot use --${flag} ${JSON.stringify(text)}: it is not a number from 0 to ${most}`);
}

function levelOf(text: string | undefined): (typeof LOG_LEVELS)[number] | undefined {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined || text === undefined) return level;
  throw usage(`cannot use --level ${JSON.stringify(text)}: there is no such level`, `one of ${LOG_LEVELS.join(', ')}`);
}

function sinceOf(text: string, now: number): number {
  const duration = parseDuration(text);
  if (duration !== null) return Math.max(0, now - duration);
  const time = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (time >= 0) return time;
  throw usage(
    `cannot use --since ${JSON.stringify(text)}: it is neither a duration nor a time`,
    'write 30s, 10m, 2h, or a time such as 2026-01-31T14:00',
  );
}

function usage(message: string, hint?: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
