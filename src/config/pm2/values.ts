/** How PM2 writes times, sizes, arguments and paths, and what that is here. Pure. */
import path from 'node:path';

const TIME_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, '': 1 };
const SIZE_BYTES: Readonly<Record<string, number>> = { G: 1024 ** 3, M: 1024 ** 2, K: 1024, '': 1 };
/** The numbers of holdfast's own sizes have six digits at most. */
const MOST_UNITS = 999_999;
/** A `key="a b"` is one word that keeps its quotes; other quoted words lose theirs. */
const ARGUMENT = /[^\s"'=]+=(?:"[^"]*"|'[^']*')|"([^"]*)"|'([^']*)'|\S+/g;

/** Milliseconds, or `10s`, `5m`, `1h`. @returns null if it is neither */
export function timeOf(value: number | string): number | null {
  const [, count, unit = ''] = /^(\d+)([hms]?)$/.exec(String(value)) ?? [];
  return count === undefined ? null : Number(count) * (TIME_MS[unit] ?? 1);
}

/** Bytes, or `300M`, `1G`, `512K`, as holdfast writes it: rounded down to what its units can say. @returns null if it is neither */
export function sizeOf(value: number | string): string | null {
  const [, count, unit = ''] = /^(\d+)([GMK]?)$/.exec(String(value)) ?? [];
  if (count === undefined) return null;
  if (unit !== '') return `${Number(count)}${unit}`;
  const bytes = Number(count);
  const fit = ['K', 'M', 'G'].find((name) => bytes / (SIZE_BYTES[name] ?? 1) <= MOST_UNITS) ?? 'G';
  return `${Math.floor(bytes / (SIZE_BYTES[fit] ?? 1))}${fit}`;
}

/** A list as it is; a text split as PM2 does it, which is not quite as a shell does. */
export function argumentsOf(value: string | readonly unknown[]): readonly unknown[] {
  if (typeof value !== 'string') return value;
  return [...value.matchAll(ARGUMENT)].map(([word, double, single]) => double ?? single ?? word).filter(Boolean);
}

/**
 * 0, `max` and less than 0 count from the processors: -1 is all but one.
 *
 * @returns what holdfast calls it, or the value itself for its schema to refuse
 */
export function instancesOf(value: number | string, processors: number): number | string {
  const count = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  if (count === 0) return 'max';
  return typeof count === 'number' && count < 0 ? Math.max(1, processors + count) : count;
}

/** Five fields; PM2 takes a sixth for the seconds, of which 0 is what five fields mean. */
export function cronOf(value: string): string {
  const fields = value.trim().split(/\s+/);
  return fields.length === 6 && fields[0] === '0' ? fields.slice(1).join(' ') : value.trim();
}

/** `~/logs/out.log` is in the home folder. */
export function homePath(value: string, home: string): string {
  return value.startsWith('~') ? path.join(home, value.slice(1)) : value;
}

/** PM2's two ways to say that nothing is to be written. */
export function isNowhere(file: string): boolean {
  return file === 'NULL' || file === '/dev/null';
}

/** As a name of holdfast may be: PM2 takes any text. */
export function fitName(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
}

/** The name that PM2 gives to an application without one: `./api/server.js` → `server`. */
export function nameOfScript(script: string): string {
  const base = path.basename(script);
  const dot = base.lastIndexOf('.');
  return dot > 0 ? base.slice(0, dot) : base;
}

/** What the variables of an application come to. PM2 leaves out what is nothing, and writes objects as JSON. */
export function variablesOf(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : value]),
  );
}
