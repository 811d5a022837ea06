/** Text in columns: pure, and blind to what it means. */

import { cellsOf, cut } from './cells.js';

export { printable } from '../../terminal-text.js';

export type Paint = (text: string) => string;

export interface Cell {
  readonly text: string;
  /** Applied when the widths are known: colour codes take no room. */
  readonly paint?: Paint | undefined;
}

export interface Column<Row> {
  readonly title: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: Row) => Cell;
  /** Left out where there is no room for all, the largest first; never without one. */
  readonly rank?: number | undefined;
  /** Cut where there is no room, to no less than this. */
  readonly least?: number | undefined;
}

const GAP = '  ';

export interface TableLooks {
  readonly paintTitle?: Paint | undefined;
  /** The width of the terminal. What no rule makes narrow enough is wider. */
  readonly room?: number | undefined;
}

/** A line of titles and a line for each row, aligned, without blanks at the ends of lines. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { paintTitle, room = Number.POSITIVE_INFINITY }: TableLooks = {},
): string {
  const all = columns.map((column): Filled => {
    const cells = [{ text: column.title, paint: paintTitle }, ...rows.map(column.cell)];
    return { ...column, cells, width: Math.max(...cells.map(({ text }) => cellsOf(text))) };
  });
  const shown = narrowed(all, room);
  return [undefined, ...rows]
    .map((_row, at) => {
      const parts = shown.map(({ cells, width, align }) => {
        const { text: whole, paint } = cells[at] ?? { text: '' };
        const text = cut(whole, width);
        const blank = ' '.repeat(width - cellsOf(text));
        const painted = paint === undefined ? text : paint(text);
        return align === 'right' ? blank + painted : painted + blank;
      });
      return `${parts.join(GAP).trimEnd()}\n`;
    })
    .join('');
}

interface Filled extends Pick<Column<never>, 'align' | 'rank' | 'least'> {
  readonly cells: readonly Cell[];
  readonly width: number;
}

function narrowed(all: readonly Filled[], room: number): readonly Filled[] {
  const total = (columns: readonly Filled[], width: (column: Filled) => number) =>
    columns.reduce((sum, column) => sum + width(column) + GAP.length, -GAP.length);
  const leastOf = ({ width, least = width }: Filled) => Math.min(width, least);
  let shown = all;
  while (total(shown, leastOf) > room) {
    const highest = Math.max(0, ...shown.map(({ rank = 0 }) => rank));
    if (highest === 0) break;
    shown = shown.filter(({ rank = 0 }) => rank < highest);
  }
  let excess = total(shown, ({ width }) => width) - room;
  return shown.map((column) => {
    const less = Math.max(0, Math.min(excess, column.width - leastOf(column)));
    excess -= less;
    return { ...column, width: column.width - less };
  });
}
