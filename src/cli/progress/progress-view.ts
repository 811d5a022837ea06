/**
 * The progress of a reload, restart, scale or stop, as lines for a terminal of whatever size. Pure.
 *
 * A line a slot, those that move first where there is no room for all; no line is wider than the terminal.
 */
import type { CanaryFigures, RolloutStatus, SupervisorStatus, WorkerStatus } from '../../protocol/status.js';
import { replacedSlots } from '../../replaced-slots.js';
import { cellsOf, cut } from '../output/cells.js';
import { formatCount, formatDelay, formatDuration, formatPercent, formatRest } from '../output/quantity.js';
import { type Paint, printable } from '../output/table.js';

export interface ProgressView {
  readonly name: string;
  readonly verb: string;
  /** The newest; null before the first one. */
  readonly status: SupervisorStatus | null;
  readonly elapsedMs: number;
  /** When the first slots were seen to be replaced, and how many. What was before says nothing of the pace. */
  readonly since?: Pace | null;
  /** What was told last. */
  readonly lastStep: string | null;
  /** What Ctrl-C does. */
  readonly note: string;
}

export interface Pace {
  readonly done: number;
  readonly atMs: number;
}

export interface Terminal {
  readonly width: number;
  readonly height: number;
  readonly colour: boolean;
}

interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly busy: Paint;
  readonly bad: Paint;
}

/** A text and how it is painted: what is cut off is cut before it is painted. */
type Piece = readonly [text: string, paint?: Paint];

interface Row {
  readonly pieces: readonly Piece[];
  /** Something goes on in this slot. */
  readonly moves: boolean;
  readonly done: boolean;
}

/** Of one slot, where several stand beside each other. */
const ROW_WIDTH = 72;
const GAP = '  ';

export function progressLines(view: ProgressView, { width, height, colour }: Terminal): string[] {
  const paint = palette(colour);
  const { status } = view;
  const head: Piece[][] = [headOf(view, paint)];
  if (status === null) head.push([['  asking the supervisor', paint.dim]]);
  const foot: Piece[][] = [];
  if (status?.rollout.state === 'running') foot.push(...canaryLines(status.rollout, paint));
  if (view.lastStep !== null) foot.push([[`  ${printable(view.lastStep)}`, paint.dim]]);
  foot.push([[`  ${view.note}`, paint.dim]]);
  const rows = status === null ? [] : rowsOf(status, paint);
  // The last line is where the cursor stands.
  const room = Math.max(1, height - 1 - head.length - foot.length);
  const lines = [...head, ...slotLines(rows, room, width, paint), ...foot].slice(0, Math.max(1, height - 1));
  return lines.map((pieces) => fit(pieces, width));
}

/** The first line alone: what is left of the view when it has ended. */
export function summaryLine(view: ProgressView, { width, colour }: Terminal): string {
  return fit(headOf(view, palette(colour)), width);
}

function headOf({ name, verb, status, elapsedMs, since = null }: ProgressView, paint: Palette): Piece[] {
  const pieces: Piece[] = [[printable(name), paint.bold], [GAP], [verb]];
  const add = (text: string, how?: Paint) => pieces.push([GAP], how === undefined ? [text] : [text, how]);
  if (status !== null) {
    const { rollout, size, workers, generation } = status;
    if (isRolling(status) && rollout.from !== null && rollout.to !== null) {
      add(`generation ${rollout.from} to ${rollout.to}`);
      add(`${replacedSlots(status)} of ${size} replaced`);
      if (rollout.reason !== null) add('being rolled back', paint.bad);
    } else if (verb === 'stop') {
      add(`${workers.length} of ${Math.max(size, workers.length)} workers left`);
    } else {
      add(`generation ${generation}`);
      add(`${workers.filter(({ state }) => state === 'ready').length} of ${size} ready`);
    }
  }
  add(`${formatDuration(elapsedMs)} gone`);
  const left = status === null ? null : expectedMs(status, elapsedMs, since);
  if (left !== null) add(`about ${formatRest(left)} to go`);
  return pieces;
}

/** By the pace so far; null where nothing is to be said, or it is over. */
export function expectedMs(status: SupervisorStatus, elapsedMs: number, since: Pace | null): number | null {
  const { rollout, size } = status;
  if (rollout.state !== 'running' || rollout.reason !== null) return null;
  if (rollout.canary !== null) return rollout.canary.remainingMs;
  const done = replacedSlots(status);
  if (since === null || done <= since.done || done >= size) return null;
  return ((elapsedMs - since.atMs) / (done - since.done)) * (size - done);
}

function isRolling({ rollout, state }: SupervisorStatus): boolean {
  return rollout.state === 'running' && state === 'running';
}

function rowsOf(status: SupervisorStatus, paint: Palette): Row[] {
  const { workers, size, generation, rollout, state } = status;
  const target = rollout.state === 'running' && rollout.reason === null ? (rollout.to ?? generation) : generation;
  const slots = new Set(workers.map(({ slot }) => slot));
  if (state !== 'stopping' && state !== 'stopped') for (let slot = 0; slot < size; slot++) slots.add(slot);
  const digits = Math.max(2, String(Math.max(0, ...slots)).length);
  return [...slots]
    .sort((a, b) => a - b)
    .map((slot) => {
      const own = workers.filter((worker) => worker.slot === slot).sort((a, b) => b.id - a.id);
      const pieces: Piece[] = [[`  slot ${String(slot).padStart(digits)}`]];
      for (const [at, worker] of own.entries()) {
        pieces.push(at === 0 ? [GAP] : [', '], pieceOf(worker, rollout, worker.generation === target, paint));
      }
      if (own.length === 0) pieces.push([GAP], ['empty', paint.dim]);
      const [first] = own;
      const done = own.length === 1 && first?.state === 'ready' && first.generation === target;
      const waits = own.length === 1 && first?.state === 'ready' && !isOnTrial(first, rollout);
      return { pieces, moves: !done && !waits, done };
    });
}

function pieceOf(worker: WorkerStatus, rollout: RolloutStatus, isNew: boolean, paint: Palette): Piece {
  const { state, connections, uptimeMs } = worker;
  const who = isNew ? '' : 'old one ';
  switch (state) {
    case 'starting':
      return [`${who}starting, ${formatDuration(uptimeMs)}`, paint.busy];
    case 'ready': {
      if (isNew && rollout.canary?.slot === worker.slot) return ['canary', paint.busy];
      if (!isOnTrial(worker, rollout)) return isNew ? ['ready', paint.good] : ['old one ready'];
      const left = rollout.trial?.remainingMs ?? null;
      return [`on trial${left === null ? '' : `, ${formatRest(left)} left`}`, paint.busy];
    }
    case 'draining':
      return [`${who}draining, ${connections === null ? 'busy' : `${formatCount(connections)} open`}`, paint.busy];
    case 'terminating':
      return [`${who}ending`, paint.busy];
    default:
      return [`${who}killed`, paint.bad];
  }
}

function isOnTrial({ slot, generation, state }: WorkerStatus, { trial, to }: RolloutStatus): boolean {
  return trial !== null && trial.slot === slot && generation === to && state === 'ready';
}

/** As many as there is room for, beside each other where the terminal is wide: then those that move, and what the others are. */
function slotLines(rows: readonly Row[], room: number, width: number, paint: Palette): Piece[][] {
  const columns = rows.length <= room ? 1 : Math.max(1, Math.floor(width / ROW_WIDTH));
  if (rows.length <= room * columns) return beside(rows, columns);
  const shown = (room - 1) * columns;
  const moving = rows.filter(({ moves }) => moves);
  const others = rows.filter(({ moves }) => !moves);
  const chosen = new Set([...moving, ...others].slice(0, shown));
  const rest = rows.filter((row) => !chosen.has(row));
  const done = rest.filter(({ done }) => done).length;
  const hidden = rest.filter(({ moves }) => moves).length;
  const words = [
    `${rest.length} more slots`,
    ...(done > 0 ? [`${done} ready`] : []),
    ...(hidden > 0 ? [`${hidden} under way`] : []),
    ...(rest.length > done + hidden ? [`${rest.length - done - hidden} to come`] : []),
  ];
  const ordered = rows.filter((row) => chosen.has(row));
  return [...beside(ordered, columns), [[`  ${words.join(', ')}`, paint.dim]]];
}

/** Read from above to below. */
function beside(rows: readonly Row[], columns: number): Piece[][] {
  const height = Math.ceil(rows.length / columns);
  return Array.from({ length: height }, (_none, line) =>
    Array.from({ length: columns }, (_none, column) => rows[column * height + line]).flatMap((row, column): Piece[] => {
      if (row === undefined) return [];
      return column === columns - 1 ? [...row.pieces] : padded(row.pieces, ROW_WIDTH);
    }),
  );
}

function padded(pieces: readonly Piece[], width: number): Piece[] {
  const kept = cutTo(pieces, width - GAP.length);
  const length = kept.reduce((sum, [text]) => sum + cellsOf(text), 0);
  return [...kept, [' '.repeat(width - length)]];
}

function canaryLines({ canary }: RolloutStatus, paint: Palette): Piece[][] {
  if (canary === null) return [];
  const { slot, share, exact, remainingMs, figures } = canary;
  const percent = `${exact ? '' : 'about '}${Math.round(share * 1_000) / 10}%`;
  const left = remainingMs === null ? 'not compared yet' : `${formatRest(remainingMs)} left`;
  const lines: Piece[][] = [[[`  canary in slot ${slot}, ${percent} of new connections, ${left}`, paint.bold]]];
  if (figures === null) return lines;
  lines.push([[cells(['', 'answers', '5xx', 'p99', 'loop delay']), paint.dim]]);
  for (const [name, side] of [
    ['canary', figures.canary],
    ['old generation', figures.others],
  ] as const) {
    lines.push([[cells([name, ...figureCells(side)])]]);
  }
  return lines;
}

function figureCells({ answers, serverErrors, p99Ms, loopDelayMs }: CanaryFigures): string[] {
  const errors = answers === 0 ? null : (100 * serverErrors) / answers;
  return [String(answers), formatPercent(errors), formatDelay(p99Ms), formatDelay(loopDelayMs)];
}

function cells([name = '', ...figures]: readonly string[]): string {
  return `    ${name.padEnd(14)}${figures.map((text) => text.padStart(12)).join('')}`;
}

function fit(pieces: readonly Piece[], width: number): string {
  return cutTo(pieces, width)
    .map(([text, paint]) => (paint === undefined ? text : paint(text)))
    .join('')
    .trimEnd();
}

function cutTo(pieces: readonly Piece[], width: number): Piece[] {
  let left = Math.max(0, width);
  const kept: Piece[] = [];
  for (const [text, paint] of pieces) {
    const part = cut(text, left);
    left -= cellsOf(part);
    if (part !== '') kept.push(paint === undefined ? [part] : [part, paint]);
  }
  return kept;
}

/** SGR codes of ECMA-48. */
function palette(colour: boolean): Palette {
  const sgr = (on: number, off: number): Paint =>
    colour ? (text) => `\u001b[${on}m${text}\u001b[${off}m` : (text) => text;
  return { bold: sgr(1, 22), dim: sgr(2, 22), good: sgr(32, 39), busy: sgr(33, 39), bad: sgr(31, 39) };
}
