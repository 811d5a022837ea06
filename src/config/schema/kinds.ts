/**
 * The kinds of values that options have. Each is a schema whose every message is a whole phrase ("must be …"), so that
 * a fault can show it as it is.
 */
import * as z from 'zod/mini';
import { DURATION_PATTERN, formatDuration, parseDuration } from './duration.js';
import { show } from './fault.js';
import {
  LISTEN_ADDRESS_PATTERN,
  LISTEN_TARGET_PATTERN,
  type ListenAddress,
  type ListenTarget,
  parseListenAddress,
  parseListenTarget,
} from './listen-address.js';
import { parseSize, SIZE_PATTERN } from './size.js';

const PERCENT_PATTERN = /^\d{1,3}(?:\.\d+)?%$/;

/** A string that the operating system can take: not empty, no NUL byte. */
export function line(allowed: string) {
  return z
    .string({ error: allowed })
    .check(z.minLength(1, { error: allowed, abort: true }), z.refine(withoutNul, { error: allowed }));
}

/** A path; relative ones are resolved by whoever knows against what. */
export function path(what: string) {
  return line(`must be the path of ${what}`);
}

export function choice<const T extends readonly [string, ...string[]]>(choices: T) {
  return z.enum(choices, { error: `must be ${orList(choices.map((value) => show(value)))}` });
}

export function wholeNumber(min: number, max: number, error = `must be a whole number from ${min} to ${max}`) {
  return z.int({ error }).check(z.minimum(min, { error }), z.maximum(max, { error }));
}

export function number(min: number, max: number) {
  const error = `must be a number from ${min} to ${max}`;
  return z.number({ error }).check(z.minimum(min, { error }), z.maximum(max, { error }));
}

/** A duration within bounds in milliseconds; yields milliseconds. */
export function duration(minMs: number, maxMs: number) {
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  const allowed = `must be a duration ${range}, such as 500ms, 30s, 5m or 1h`;
  const error = ({ input }: { input?: unknown }) => {
    const isBareNumber = /^[1-9]\d*$/.test(String(input));
    return isBareNumber ? `has no unit: write ${input}ms, ${input}s or ${input}m; ${allowed}` : allowed;
  };
  return z.pipe(
    z.union([z.literal(0, { error }), z.string({ error }).check(z.regex(DURATION_PATTERN, { error, abort: true }))], {
      error,
    }),
    z.pipe(
      z.transform((value: 0 | string) => parseDuration(String(value))),
      z.number({ error: allowed }).check(z.minimum(minMs, { error: allowed }), z.maximum(maxMs, { error: allowed })),
    ),
  );
}

/** A size of memory, or a share of what there is. */
export type Memory = { readonly bytes: number } | { readonly percent: number };
/** Less is no limit that a worker could live in. */
export const MIN_MEMORY_BYTES = 1024 ** 2;

export function memory() {
  const error = 'must be a size of at least 1M, such as 300M or 1G, or a percentage from 1% to 100%';
  return z.pipe(
    z
      .string({ error })
      .check(z.regex(new RegExp(`${SIZE_PATTERN.source}|${PERCENT_PATTERN.source}`), { error, abort: true })),
    z.pipe(
      z.transform((value: string): Memory => {
        return value.endsWith('%') ? { percent: Number(value.slice(0, -1)) } : { bytes: parseSize(value) ?? 0 };
      }),
      z.custom<Memory>(
        (value) => {
          const memory = value as Memory;
          if ('bytes' in memory) return memory.bytes >= MIN_MEMORY_BYTES;
          return memory.percent >= 1 && memory.percent <= 100;
        },
        { error },
      ),
    ),
  );
}

/** A size, or 0; yields bytes. */
export function size() {
  const error = 'must be a size such as 500K, 50M or 1G, or 0';
  return z.pipe(
    z.union(
      [z.literal(0, { error }), z.string({ error }).check(z.regex(/^0$|^[1-9]\d{0,5}[KMG]$/, { error, abort: true }))],
      {
        error,
      },
    ),
    z.transform((value: 0 | string) => parseSize(String(value)) ?? 0),
  );
}

/** What a log file's age may be: it is put aside when the clock strikes. Yields milliseconds. */
export function rotationAge() {
  const error = 'must be 0, a part of a minute, of an hour or of a day, or days in hours: 10m, 1h, 12h, 24h, 168h';
  return z.pipe(
    z.union([z.literal(0, { error }), z.string({ error }).check(z.regex(DURATION_PATTERN, { error, abort: true }))], {
      error,
    }),
    z.pipe(
      z.transform((value: 0 | string) => parseDuration(String(value))),
      z.number({ error }).check(z.refine((ms) => ms === 0 || isPartOfTime(ms), { error })),
    ),
  );
}

/** Whether the clock strikes evenly: 20 minutes do, 25 do not. */
function isPartOfTime(ms: number): boolean {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  if (ms % 1_000 !== 0 || ms > 365 * day) return false;
  if (ms < minute) return minute % ms === 0;
  if (ms < hour) return hour % ms === 0 && ms % minute === 0;
  return (day % ms === 0 && ms % hour === 0) || ms % day === 0;
}

/** Where the supervisor itself listens; yields host and port. */
export function listenAddress() {
  const error = 'must be host:port, :port for every address of the machine, or a port alone for 127.0.0.1';
  return z.pipe(
    z.union(
      [
        wholeNumber(1, 65_535, error),
        z.string({ error }).check(
          z.regex(LISTEN_ADDRESS_PATTERN, { error, abort: true }),
          z.refine((value) => parseListenAddress(value) !== null, { error }),
        ),
      ],
      { error },
    ),
    z.transform((value: number | string) => parseListenAddress(String(value)) as ListenAddress),
  );
}

export const LISTEN_TARGET_ALLOWED =
  'host:port, :port for every address of the machine, or a port alone for 127.0.0.1; NAME= before it names the socket';

/** Where a program listens that gets its sockets from the supervisor. */
export function listenTarget() {
  const error = `must be ${LISTEN_TARGET_ALLOWED}`;
  return z.pipe(
    z.union(
      [
        wholeNumber(1, 65_535, error),
        z.string({ error }).check(
          z.regex(LISTEN_TARGET_PATTERN, { error, abort: true }),
          z.refine((value) => parseListenTarget(value) !== null, { error }),
        ),
      ],
      { error },
    ),
    z.transform((value: number | string) => parseListenTarget(String(value)) as ListenTarget),
  );
}

/** A share in percent; yields 0 to 1. */
export function percentage() {
  const error = 'must be a percentage from 0% to 100%, such as 1% or 0.5%';
  return z.pipe(
    z.string({ error }).check(z.regex(PERCENT_PATTERN, { error, abort: true })),
    z.pipe(
      z.transform((value: string) => Number(value.slice(0, -1)) / 100),
      z.number({ error }).check(z.maximum(1, { error })),
    ),
  );
}

/** Text that may be written without quotes where it looks like a number or a truth value: `PORT: 3000`. */
export function text(allowed: string) {
  return z.pipe(
    z.union([z.string(), z.number(), z.boolean()], { error: allowed }),
    z.pipe(
      z.transform((value: string | number | boolean) => String(value)),
      z.string({ error: allowed }).check(z.refine(withoutNul, { error: allowed })),
    ),
  );
}

export function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function withoutNul(value: string): boolean {
  return !value.includes('\0');
}
