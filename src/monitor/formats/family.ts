/** A metric with all its values, before it is known in which format it is asked for. Types alone. */

export type Labels = readonly (readonly [name: string, value: string])[];

export interface Sample {
  /** What follows the family's name: nothing, `_bucket`, `_sum`, `_count`. */
  readonly suffix: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Prometheus' own: bucket i of `counts` ends at 2^((offset + i) / 4), and what is at most `zeroUpTo` is in none. */
export interface NativeHistogram {
  readonly labels: Labels;
  readonly count: number;
  readonly sum: number;
  readonly zeroUpTo: number;
  readonly zeroCount: number;
  readonly offset: number;
  readonly counts: readonly number[];
}

export type Part = readonly Sample[];

export interface Family {
  /** That of a counter as it is in the text format. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly help: string;
  /**
   * None is empty, and what a histogram is made of is in one of them. One that is the same array as in the last scrape has the same
   * samples, so that they need not be written anew.
   */
  readonly parts: readonly Part[];
  /** Of the same as the samples, where the scraper knows them: by the same labels. */
  readonly native?: readonly NativeHistogram[];
}
