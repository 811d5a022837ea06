/** The keys and what the columns mean. Pure. */
import { type Line, run } from './runs.js';

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['↑ ↓ PgUp PgDn Home End', 'choose a worker (j, k, g, G as well)'],
  ['Enter, Esc', 'look at the worker alone, and back'],
  ['s S o', 'sort by the next or the last column, and the other way round'],
  ['/', 'show only what matches: ready, slot 3, generation 2, pid 4711'],
  ['r', 'reload, after a question'],
  ['+ -', 'more or fewer workers, after a question'],
  ['Ctrl-L, Ctrl-Z', 'draw anew, stop until fg'],
  ['q, Ctrl-C', 'quit; what was asked for goes on'],
];
const COLUMNS: readonly (readonly [title: string, what: string])[] = [
  ['loop', 'how long a question waited for the event loop just now'],
  ['req/s err/s', 'requests, and answers of 500 and above, in the last second'],
  ['p99', 'the slowest hundredth of the last 10 s took that long and more'],
  ['queue', 'connections that wait to be accepted'],
  ['weight', 'share of new connections, relative to the others'],
];

export function helpLines({ height }: { readonly height: number }): Line[] {
  const table = (rows: readonly (readonly [string, string])[]): Line[] =>
    rows.map(([left, right]) => [run(`  ${left.padEnd(24)}`, 'bold'), run(right)]);
  const gap: Line[] = height < 20 ? [] : [[]];
  return [
    [run('holdfast top', 'bold'), run('  any key goes back', 'dim')],
    ...gap,
    ...table(KEYS),
    ...gap,
    ...table(COLUMNS).slice(0, Math.max(0, height - 9 - 2 * gap.length)),
  ];
}
