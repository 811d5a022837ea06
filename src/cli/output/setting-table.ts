/** The options of a configuration, as their owner would write them, and where each comes from: pure. */
import type { SettingDescription } from '../../protocol/control.js';
import { type Column, formatTable, printable } from './table.js';

const DEFAULT = 'default';
/** No value is cut to less. */
export const LEAST_VALUE = 16;

const COLUMNS: readonly Column<SettingDescription>[] = [
  column('option', ({ name }) => name),
  { ...column('value', ({ value }) => value ?? '-'), least: LEAST_VALUE },
  column('source', ({ source, path }) => (source === DEFAULT || path === '' ? source : `${source}: ${path}`)),
];

/** @param columns the width to which values are cut; whole if not given */
export function settingTable(settings: readonly SettingDescription[], columns?: number): string {
  return formatTable(COLUMNS, settings, { room: columns });
}

export function column<Row>(title: string, text: (row: Row) => string): Column<Row> {
  return { title, align: 'left', cell: (row) => ({ text: printable(text(row)) }) };
}
