/** A description as text for people: pure. */
import type { Description, RestartRecord, SettingDescription, VariableDescription } from '../protocol.js';
import { formatDuration } from './quantity.js';
import { describeSupervisor } from './status-view.js';
import { type Column, formatTable, printable } from './table.js';

const DEFAULT = 'default';
const WHAT: Readonly<Record<RestartRecord['what'], string>> = {
  crashed: 'replaced',
  recycled: 'recycled',
  reloaded: 'reloaded',
  rolledBack: 'taken back',
};

/** @param columns the width of the terminal, if there is one: values are cut to it */
export function describeApplication(
  description: Description,
  colour: boolean,
  columns = Number.POSITIVE_INFINITY,
): string {
  const { status, release, settings, environment, restarts, worker, atMs } = description;
  // Of a worker: the same, with its line alone.
  const shown = worker === null ? status : { ...status, workers: status.workers.filter(({ id }) => id === worker) };
  const facts: [label: string, text: string][] = [
    ['generation', String(release.generation)],
    ['folder', release.folder],
    ['script', `${release.script}${release.resolved === null ? '' : ` (${release.resolved})`}`],
    ['changed', moment(release.scriptChangedAtMs, atMs)],
    ['loaded', moment(release.loadedAtMs, atMs)],
    ['configuration', release.file ?? 'no file'],
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  const { bold } = { bold: colour ? (text: string) => `\u001b[1m${text}\u001b[22m` : (text: string) => text };
  const section = (title: string, text: string) => `\n${bold(title)}\n${text}`;
  return [
    describeSupervisor(shown, colour),
    section('release', facts.map(([label, text]) => `  ${label.padEnd(width)}  ${printable(text)}\n`).join('')),
    section('last restarts and reloads', restarts.length === 0 ? '  none\n' : restartTable(restarts, atMs)),
    section('configuration', settings.length === 0 ? '  not told\n' : formatTable(settingColumns(columns), settings)),
    section('environment', environment.length === 0 ? '  as inherited\n' : variableTable(environment, columns)),
  ].join('');
}

export function variableTable(environment: readonly VariableDescription[], columns = Number.POSITIVE_INFINITY): string {
  const sources = Math.max(...environment.map(({ source }) => source.length), 0);
  const names = Math.max(...environment.map(({ name }) => name.length), 0);
  const room = Math.max(MOST_CUT, columns - names - sources - 4);
  return formatTable<VariableDescription>(
    [
      column('name', ({ name }) => name),
      column('value', ({ value }) => cut(value, room)),
      column('source', ({ source }) => source),
    ],
    environment,
  );
}

/** No value is cut to less. */
const MOST_CUT = 24;

function settingColumns(columns: number): Column<SettingDescription>[] {
  return [
    column('option', ({ name }) => name),
    column('value', ({ value }) => cut(value ?? '-', Math.max(MOST_CUT, columns - 70))),
    column('source', ({ source, path }) => (source === DEFAULT || path === '' ? source : `${source}: ${path}`)),
  ];
}

/** The newest first: that is what one looks for. */
function restartTable(restarts: readonly RestartRecord[], atMs: number): string {
  return formatTable<RestartRecord>(
    [
      column('time', (record) => moment(record.atMs, atMs)),
      column('slot', ({ slot }) => (slot === null ? '-' : String(slot))),
      column('what', ({ what }) => WHAT[what] ?? what),
      column('why', ({ reason }) => reason),
    ],
    [...restarts].reverse(),
  );
}

function column<Row>(title: string, text: (row: Row) => string): Column<Row> {
  return { title, align: 'left', cell: (row) => ({ text: printable(text(row)) }) };
}

function cut(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, room - 3)}...`;
}

/** `2026-11-26 14:05:35 (2h 14m ago)`, in the time zone of who looks at it. */
export function moment(atMs: number, nowMs: number): string {
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  return `${local.slice(0, 19).replace('T', ' ')} (${formatDuration(Math.max(0, nowMs - atMs))} ago)`;
}
