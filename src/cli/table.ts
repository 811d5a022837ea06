/** Text in columns: pure, and blind to what it means. */

export { printable } from '../terminal-text.js';

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
}

const GAP = '  ';

/** A line of titles and a line for each row, aligned, without blanks at the ends of lines. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paintTitle?: Paint): string {
  const cells = [
    columns.map(({ title }): Cell => ({ text: title, paint: paintTitle })),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns.map((_column, index) => Math.max(...cells.map((line) => line[index]?.text.length ?? 0)));
  return cells
    .map((line) => {
      const parts = line.map(({ text, paint }, index) => {
        const room = ' '.repeat((widths[index] ?? 0) - text.length);
        const painted = paint === undefined ? text : paint(text);
        return columns[index]?.align === 'right' ? room + painted : painted + room;
      });
      return `${parts.join(GAP).trimEnd()}\n`;
    })
    .join('');
}
