/** The same once, for what is no terminal: a table, or JSON. Pure. */

import { textOf } from '../output/runs.js';
import { formatTable, type Column as TableColumn } from '../output/table.js';
import type { History } from './model/history.js';
import { COLUMNS, type Row, rowsOf } from './model/rows.js';
import { rolloutLine } from './view/rollout-line.js';

const ORDER = { sort: 'slot', reversed: false, filter: '' } as const;

export function plainText(history: History): string {
  const { status } = history;
  if (status === null) return '';
  const rows = rowsOf(history, ORDER);
  const columns = COLUMNS.map(
    ({ title, align, text }): TableColumn<Row> => ({ title, align, cell: (row) => ({ text: text(row) }) }),
  );
  const rollout = rolloutLine(status).map((line) => `${textOf(line)}\n`);
  return `${rollout.join('')}${formatTable(columns, rows)}`;
}

export function asJson(history: History): unknown {
  const { status, tracks } = history;
  if (status === null) return null;
  const workers = status.workers.map(({ figures: _figures, ...worker }) => {
    const track = tracks.get(worker.id);
    const { requestsPerS = null, errorsPerS = null, p99Ms = null } = track ?? {};
    return { ...worker, requestsPerS, errorsPerS, p99Ms };
  });
  return { ...status, workers };
}
