/**
 * Small readers for what comes from outside: each takes a value of which nothing is known and returns it as what it is to be,
 * or throws a `Mismatch` that says where it is not. Pure.
 *
 * The types hold the tables made of them: a field that a message has and its table lacks does not compile.
 */

/** @throws Mismatch; `at` is where the value stands, for the message */
export type Reader<T> = (value: unknown, at: string) => T;

/** Of a field that may be missing. */
export interface Optional<T> {
  readonly optional: Reader<T>;
}

/** A reader for each field. Fields that are not named are left out: a later version may send more. */
export type Shape<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Optional<NonNullable<T[K]>> : Reader<T[K]>;
};

/** The message is the end of a sentence that begins with who has sent it. */
export class Mismatch extends Error {}

export function text(longest: number): Reader<string> {
  return (value, at) => {
    if (typeof value === 'string' && value.length <= longest) return value;
    throw new Mismatch(`${at} must be a text of at most ${longest} characters`);
  };
}

export function whole(least: number, most: number): Reader<number> {
  return (value, at) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw new Mismatch(`${at} must be a whole number from ${least} to ${most}`);
  };
}

/** Of milliseconds, or of anything else of which there is a part. */
export const amount: Reader<number> = (value, at) => {
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new Mismatch(`${at} must be a number from 0`);
};

export const truth: Reader<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value;
  throw new Mismatch(`${at} must be true or false`);
};

export function oneOf<const T extends readonly (string | number)[]>(...allowed: T): Reader<T[number]> {
  return (value, at) => {
    if ((allowed as readonly unknown[]).includes(value)) return value as T[number];
    throw new Mismatch(`${at} must be one of ${allowed.join(', ')}`);
  };
}

export function nullOr<T>(reader: Reader<T>): Reader<T | null> {
  return (value, at) => (value === null ? null : reader(value, at));
}

export function optional<T>(reader: Reader<T>): Optional<T> {
  return { optional: reader };
}

export function list<T>(reader: Reader<T>, longest: number): Reader<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length > longest)
      throw new Mismatch(`${at} must be a list of at most ${longest}`);
    return value.map((item, index) => reader(item, `${at}[${index}]`));
  };
}

/** A long one of numbers, or of nulls beside them: no place is named for each, which would cost more than to read them. */
export function numbers<T extends number | null>(
  longest: number,
  isOne: (value: unknown) => boolean,
): Reader<readonly T[]> {
  return (value, at) => {
    if (Array.isArray(value) && value.length <= longest && value.every(isOne)) return value.slice();
    throw new Mismatch(`${at} must be a list of at most ${longest} numbers`);
  };
}

/** Numbers by names that only the sender knows. */
export function tally(most: number, longestName: number): Reader<Readonly<Record<string, number>>> {
  const count = whole(0, Number.MAX_SAFE_INTEGER);
  return (value, at) => {
    if (typeof value !== 'object' || value === null) throw new Mismatch(`${at} must be an object`);
    const entries = Object.entries(value);
    if (entries.length > most) throw new Mismatch(`${at} must have at most ${most} names`);
    return Object.fromEntries(
      entries.map(([name, number]) => [text(longestName)(name, `a name of ${at}`), count(number, `${at}.${name}`)]),
    );
  };
}

export function record<T>(shape: Shape<T>): Reader<T> {
  const fields = Object.entries(shape as Readonly<Record<string, Reader<unknown> | Optional<unknown>>>);
  return (value, at) => {
    if (typeof value !== 'object' || value === null) throw new Mismatch(`${at} must be an object`);
    const found: Record<string, unknown> = {};
    for (const [name, reader] of fields) {
      const field = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
      if (typeof reader === 'function') found[name] = reader(field, `${at}.${name}`);
      else if (field !== undefined) found[name] = reader.optional(field, `${at}.${name}`);
    }
    return found as T;
  };
}
