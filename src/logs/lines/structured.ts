/**
 * Lines of a worker that are log lines of pino: JSON already, with a level of their own. They are passed on as what they are,
 * with the worker's labels. Pure.
 */
import { levelName } from './levels.js';

/** Who has written it. What the application says under these names does not pass for the supervisor's word. */
export interface Labels {
  readonly name: string;
  readonly slot: number;
  readonly worker: number;
  readonly generation: number;
  readonly stream: 'stdout' | 'stderr';
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** More is no level in any logger. */
const HIGHEST_LEVEL = 1_000;
/** As milliseconds that would be before 1973. */
const SECONDS_BELOW = 1e11;
/** They are the supervisor's: an application's own ones are kept under `app`. */
const RESERVED = new Set(['name', 'slot', 'worker', 'generation', 'stream', 'continued', 'hook', 'app']);

/**
 * A log line of pino: an object with a level that a logger has, and a time or a message. Anything else is text, however much
 * it looks like JSON.
 */
export function readStructured(text: string): JsonObject | null {
  // Nearly every line is told apart by this: parsing all of them would cost more than all else.
  if (!text.startsWith('{') || !text.endsWith('}') || !text.includes('"level"')) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const line = value as JsonObject;
  const { level, time, msg } = line;
  const isLevel = typeof level === 'number' ? level > 0 && level <= HIGHEST_LEVEL : levelName(level) !== null;
  const isTime = typeof time === 'number' || typeof time === 'string';
  return isLevel && (isTime || typeof msg === 'string') ? line : null;
}

/** @param now ISO 8601, for a line without a time of its own */
export function withLabels(line: JsonObject, labels: Labels, now: string): JsonObject {
  const { level, time, msg, ...rest } = line;
  const fields = Object.entries(rest);
  const own = fields.filter(([name]) => RESERVED.has(name));
  return {
    level: levelName(level) ?? level,
    time: isoTime(time) ?? now,
    ...labels,
    ...Object.fromEntries(fields.filter(([name]) => !RESERVED.has(name))),
    ...(own.length > 0 && { app: Object.fromEntries(own) }),
    msg: typeof msg === 'string' ? msg : msg === undefined ? '' : JSON.stringify(msg),
  };
}

/** pino's ways to tell it: milliseconds since 1970, seconds (`unixTime`), both also as text, ISO 8601. */
function isoTime(time: unknown): string | null {
  if (typeof time !== 'number' && typeof time !== 'string') return null;
  const count = typeof time === 'string' && !/^\d{1,16}(?:\.\d+)?$/.test(time) ? null : Number(time);
  const date = new Date(count === null ? time : count < SECONDS_BELOW ? count * 1_000 : count);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
