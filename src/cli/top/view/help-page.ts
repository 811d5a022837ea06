/** The keys and what the columns mean. Pure. */
import { type Line, run } from '../../output/runs.js';

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['↑ ↓ PgUp PgDn Home End', 'choose a worker (j, k, g, G as well)'],
  ['Enter, Esc', 'look at the worker alone, and back'],
  ['s S o', 'sort by the next or previous column; turn the order'],
  ['/', 'only what matches: ready, slot 3, generation 2, pid 9'],
  ['r', 'reload, after a question'],
  ['+ -', 'more or fewer workers, after a question'],
  ['Ctrl-L, Ctrl-Z', 'draw anew, stop until fg'],
  ['q, Ctrl-C', 'quit; what was asked for goes on'],
];
const COLUMNS: readonly (readonly [title: string, what: string])[] = [
  ['loop', 'how long a question waited for the event loop just now'],
  ['req/s err/s', 'requests, and answers of 500 and above, a second'],
  ['p99', '99 of 100 answers of the last 10 s were faster'],
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
