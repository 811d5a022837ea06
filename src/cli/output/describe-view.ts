/** A description as text for people: pure. */
import type { Description, RestartRecord, VariableDescription } from '../../protocol/control.js';
import type { Looks } from '../process/context.js';
import { formatDuration } from './quantity.js';
import { column, LEAST_VALUE, settingTable } from './setting-table.js';
import { describeSupervisor, factLines } from './status-view.js';
import { formatTable } from './table.js';

const WHAT: Readonly<Record<RestartRecord['what'], string>> = {
  crashed: 'replaced',
  recycled: 'recycled',
  reloaded: 'reloaded',
  rolledBack: 'rolled back',
};

/** On a terminal values are cut to its width. */
export function describeApplication(description: Description, looks: Looks): string {
  const { colour, columns } = looks;
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
  const section = (title: string, text: string) => `\n${colour ? `\u001b[1m${title}\u001b[22m` : title}\n${text}`;
  return [
    describeSupervisor(shown, looks),
    section('release', factLines(facts, columns)),
    section('last restarts and reloads', restarts.length === 0 ? '  none\n' : restartTable(restarts, atMs)),
    section('configuration', settings.length === 0 ? '  not told\n' : settingTable(settings, columns)),
    section('environment', environment.length === 0 ? '  as inherited\n' : variableTable(environment, columns)),
  ].join('');
}

export function variableTable(environment: readonly VariableDescription[], columns?: number): string {
  return formatTable<VariableDescription>(
    [
      column('name', ({ name }) => name),
      { ...column('value', ({ value }) => value), least: LEAST_VALUE },
      column('source', ({ source }) => source),
    ],
    environment,
    { room: columns },
  );
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

/** `2026-11-26 14:05:35 (2h 14m ago)`, in the time zone of who looks at it. */
export function moment(atMs: number, nowMs: number): string {
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  return `${local.slice(0, 19).replace('T', ' ')} (${formatDuration(Math.max(0, nowMs - atMs))} ago)`;
}
