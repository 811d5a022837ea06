/** The last hour as it is known here: what came at first, and a point for each second since. Of bounded size. Pure. */
import { PAGE_FIELDS, type PageEvents, type PageField, type PageMark, type PageNow } from '../protocol/page.js';

const MOST_MARKS = 200;
/** What is older than that may have a point a minute. */
const FINE_S = 300;
const COARSE_S = 10;
export const HOUR_S = 3600;
const LEAST_S = 60;

export type Column = (number | null)[];

/**
 * How much of the time is drawn, in seconds: what is wanted, or what there is of it. A supervisor that has just begun would
 * otherwise be a thin line at the edge.
 */
export function shownS(wantedS: number, oldest: number, now: number): number {
  return Math.min(wantedS, Math.max(LEAST_S, now - oldest));
}

/** Where there is a value and none beside it: a line has no length there, and would not be seen. */
export function single(values: Column): number[] {
  return values.flatMap((value, i) => {
    const isAlone = value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
    return isAlone ? [i] : [];
  });
}

export class Hour {
  at: number[] = [];
  marks: PageMark[] = [];
  #columns: Record<PageField, Column> = empty();

  begin({ at, values, marks }: PageEvents['history']): void {
    this.at = [...at];
    this.marks = [...marks];
    this.#columns = empty();
    for (const [i, field] of PAGE_FIELDS.entries()) this.#columns[field] = values.map((point) => point[i] ?? null);
  }

  add({ at, values }: PageNow): void {
    this.at.push(at);
    for (const [i, field] of PAGE_FIELDS.entries()) this.#columns[field].push(values[i] ?? null);
    this.#thin(at);
  }

  /** @returns the one that has to go for it, if any */
  mark(mark: PageMark): PageMark | undefined {
    const known = this.marks.findIndex(({ id }) => id === mark.id);
    if (known !== -1) this.marks[known] = mark;
    else this.marks.push(mark);
    return this.marks.length > MOST_MARKS ? this.marks.shift() : undefined;
  }

  column(field: PageField): Column {
    return this.#columns[field];
  }

  last(field: PageField): number | null {
    return this.#columns[field].at(-1) ?? null;
  }

  /** Seconds that are no longer of the last minutes become one in ten; what is older than an hour goes. */
  #thin(now: number): void {
    const fine = this.at.filter((at) => now - at <= FINE_S).length;
    if (fine <= FINE_S + 60 && this.at.length <= 3 * FINE_S) return;
    const keep = this.at.map((at, i) => {
      if (now - at > HOUR_S) return false;
      const before = this.at[i - 1];
      return now - at <= FINE_S || before === undefined || Math.floor(before / COARSE_S) !== Math.floor(at / COARSE_S);
    });
    this.at = this.at.filter((_at, i) => keep[i]);
    for (const field of PAGE_FIELDS) this.#columns[field] = this.#columns[field].filter((_value, i) => keep[i]);
  }
}

function empty(): Record<PageField, Column> {
  return Object.fromEntries(PAGE_FIELDS.map((field): [PageField, Column] => [field, []])) as Record<PageField, Column>;
}
