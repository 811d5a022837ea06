/** What the live view shows on a terminal of whatever size: exactly as many lines as it has, none wider than it. Pure. */
import { cut, padEnd, padStart, safe } from '../../output/cells.js';
import { formatBytes, formatDelay, formatDuration } from '../../output/quantity.js';
import { bar, fit, type Line, type Run, run, type Style, sparkline, spread } from '../../output/runs.js';
import { type State, shownRows } from '../model/model.js';
import { type Column, columnsFor, type Row, shortNumber } from '../model/rows.js';
import { detailLines } from './detail.js';
import { footOf } from './foot.js';
import { helpLines } from './help-page.js';
import { isStale, linkText } from './link-text.js';
import { listPage } from './list-page.js';
import { logLine } from './log-line.js';
import { rolloutLine } from './rollout-line.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const LEAST: Size = { width: 60, height: 12 };
/** A bar of fewer cells says nothing. */
const LEAST_BARS = 6;
const MOST_BARS = 60;

export function view(state: State, size: Size): Line[] {
  const { width, height } = size;
  const lines = isTooSmall(size) ? tooSmall(size) : pageOf(state, size);
  const shown = lines.slice(0, height).map((line) => fit(line, width));
  return [...shown, ...Array.from({ length: Math.max(0, height - shown.length) }, (): Line => [])];
}

export function isTooSmall({ width, height }: Size): boolean {
  return width < LEAST.width || height < LEAST.height;
}

function tooSmall({ width, height }: Size): Line[] {
  const needs = `${LEAST.width}x${LEAST.height}`;
  return [[run('The terminal is too small')], [run(`${width}x${height}; needs ${needs}`)], [run('q quits', 'dim')]];
}

function pageOf(state: State, size: Size): Line[] {
  if (state.help) return helpLines(size);
  const foot = footOf(state, size.width);
  const room = size.height - foot.length;
  const body = state.page === 'list' ? listPage(state, size.width, room) : workersPage(state, size.width, room);
  const filled = [...body, ...Array.from({ length: Math.max(0, room - body.length) }, (): Line => [])];
  return [...filled.slice(0, room), ...foot];
}

// ---- the head ---------------------------------------------------------------------------------------------------

function headOf(state: State, width: number): Line[] {
  const { history, name } = state;
  const { status, all } = history;
  const title: Run[] = [run(safe(name ?? ''), 'bold')];
  if (status === null) return [spread(title, linkText(state), width)];
  const ready = status.workers.filter((worker) => worker.state === 'ready').length;
  if (isStale(state)) title.push(run('  '), ...linkText(state));
  else {
    title.push(
      run(`  ${status.state}`, status.state === 'running' ? 'good' : 'busy'),
      run(`  generation ${status.generation}`),
      run(`  ${ready} of ${status.size} ready`, ready < status.size ? 'busy' : 'plain'),
      run(`  up ${formatDuration(status.uptimeMs)}`),
    );
    for (const news of linkText(state)) title.push(run('  '), news);
  }
  const sum = (values: readonly (number | null)[]) => values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const cpu = sum(status.workers.map(({ cpuPercent }) => cpuPercent));
  const memory = sum(status.workers.map(({ rssBytes }) => rssBytes));
  const connections = sum(status.workers.map((worker) => worker.connections));
  const figure = (label: string, text: string, style: Style = 'plain'): Run[] => [
    run(`${label} `, 'dim'),
    run(`${text}  `, style),
  ];
  const errors = all.errorsPerS;
  const bars = Math.max(0, Math.min(MOST_BARS, width - 74));
  const most = Math.max(0, ...all.requests.slice(-bars).map((value) => value ?? 0));
  const chart = run(sparkline(all.requests, bars, most), 'chart');
  const figures: Run[] = [
    ...figure('cpu', `${Math.round(cpu)}%`),
    ...figure('mem', formatBytes(memory)),
    ...figure('connections', shortNumber(connections)),
    ...figure('req/s', known(all.requestsPerS, shortNumber)),
    ...figure('err/s', known(errors, shortNumber), (errors ?? 0) > 0 ? 'bad' : 'plain'),
    ...figure('p99', known(all.p99Ms, formatDelay)),
  ];
  return [title, spread(figures, bars > 0 ? [chart] : [], width), ...rolloutLine(status)];
}

function known(value: number | null, format: (value: number) => string): string {
  return value === null ? '-' : format(value);
}

// ---- the workers ------------------------------------------------------------------------------------------------

function workersPage(state: State, width: number, room: number): Line[] {
  const head = [...headOf(state, width), []];
  const { rows, at } = shownRows(state);
  const chosen = rows[at];
  if (state.page === 'worker') {
    const detail =
      chosen === undefined ? [[run('  no such worker', 'dim')]] : detailLines(chosen, state.history, width);
    const logRoom = room - head.length - detail.length;
    const worker = chosen?.worker.id ?? null;
    return [...head, ...detail, ...logPane(state, { width, room: logRoom, worker, beside: '' })];
  }
  const free = room - head.length;
  // A third for the log, and what the workers leave.
  const tableRoom = Math.max(2, Math.min(rows.length + 1, free - Math.max(4, Math.floor(free / 3))));
  const table = tableLines(state, rows, at, width, tableRoom);
  const count = Math.max(1, tableRoom - 1);
  const first = firstRow(rows.length, at, count);
  const part = rows.length > count ? `workers ${first + 1} to ${first + count} of ${rows.length}` : '';
  return [...head, ...table, ...logPane(state, { width, room: free - table.length, worker: null, beside: part })];
}

function tableLines(state: State, rows: readonly Row[], at: number, width: number, room: number): Line[] {
  const { columns, bars } = columnsFor(width, LEAST_BARS);
  const shownBars = Math.min(bars, MOST_BARS);
  const count = Math.max(1, room - 1);
  const first = firstRow(rows.length, at, count);
  const shown = rows.slice(first, first + count);
  const isOld = isStale(state);
  const top = Math.max(0, ...rows.flatMap(({ track }) => track.requests.slice(-shownBars)).map((value) => value ?? 0));
  const titles = columns.map((column) => titleOf(column, state));
  const used = columns.reduce((sum, column) => sum + column.width + 1, 0);
  const barsTitle = shownBars >= LEAST_BARS ? padStart('req/s', shownBars + 1) : '';
  const lines: Line[] = [[...titles, run(padEnd(barsTitle, width - used), 'title')]];
  for (const [index, row] of shown.entries()) {
    const isChosen = first + index === at;
    const cells = columns.flatMap((column, position): Run[] => [
      ...(position === 0 ? [] : [run(' ')]),
      run(aligned(column.text(row), column), isOld ? 'dim' : (column.style?.(row) ?? 'plain')),
    ]);
    const spark = run(` ${sparkline(row.track.requests, shownBars, top)}`, isOld ? 'dim' : 'chart');
    const line = [run(isChosen ? '>' : ' ', 'bold'), ...cells, ...(shownBars > 0 ? [spark] : [])];
    lines.push(isChosen ? bar(line, width, 'chosen') : line);
  }
  if (rows.length === 0) {
    const filter = state.typed ?? state.filter;
    const none =
      state.history.status === null ? '' : filter === '' ? '  no workers' : `  no worker matches "${safe(filter)}"`;
    lines.push([run(none, 'dim')]);
  }
  return lines;
}

/** Whole pages, the last one full as well. */
function firstRow(rows: number, at: number, count: number): number {
  return Math.max(0, Math.min(Math.floor(at / count) * count, rows - count));
}

/** With the blank before it. */
function titleOf({ key, title, width, align, ascending = false }: Column, { sort, reversed }: State): Run {
  const isSorted = key === sort;
  const arrow = isSorted ? (ascending === reversed ? '↓' : '↑') : '';
  const text = align === 'right' ? padStart(arrow + title, width + 1) : ` ${padEnd(title + arrow, width)}`;
  return run(text, isSorted ? 'sorted' : 'title');
}

function aligned(text: string, { width, align }: Column): string {
  const short = cut(text, width);
  return align === 'right' ? padStart(short, width) : padEnd(short, width);
}

// ---- the log ----------------------------------------------------------------------------------------------------

interface LogPane {
  readonly width: number;
  readonly room: number;
  /** Only its lines; null for all. */
  readonly worker: number | null;
  /** At the right of the title. */
  readonly beside: string;
}

function logPane(state: State, { width, room, worker, beside }: LogPane): Line[] {
  if (room < 2) return [];
  const lines: Line[] = [];
  // From the end: only what has room is read at all.
  for (let at = state.logs.length - 1; at >= 0 && lines.length < room - 1; at--) {
    const found = logLine(state.logs[at] ?? '');
    if (found !== null && (worker === null || found.worker === worker)) lines.unshift(found.line);
  }
  const problem = state.logProblem === null ? '' : `: ${safe(state.logProblem)}`;
  const title: Line = [run(`log${worker === null ? '' : ` of worker ${worker}`}${problem}`, 'dim')];
  return [spread(title, [run(beside, 'dim')], width), ...lines];
}
