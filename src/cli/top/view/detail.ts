/** One worker, with all that is known of it. Pure. */
import { cut, padEnd, padStart, safe } from '../../output/cells.js';
import { formatBytes, formatCount, formatDelay, formatDuration, formatPercent } from '../../output/quantity.js';
import { type Line, type Run, run, sparkline } from '../../output/runs.js';
import type { History } from '../model/history.js';
import { type Row, shortNumber } from '../model/rows.js';

const LABEL = 14;
const SCALE = 6;
const MOST_BARS = 120;
/** Of one CPU. */
const FULL = 100;

export function detailLines({ worker, track, queue, weight }: Row, { status }: History, width: number): Line[] {
  const { id, slot, generation, pid, state, uptimeMs, restarts, recycled, restartReason } = worker;
  const title: Run[] = [
    run(` worker ${id}`, 'bold'),
    run(`  slot ${slot}  generation ${generation}  pid ${formatCount(pid)}  `),
    run(state, state === 'ready' ? 'good' : 'busy'),
    run(`  up ${formatDuration(uptimeMs)}`),
  ];
  const half = Math.floor((width - 2) / 2);
  const fact = (label: string, text: string): Run[] => {
    const room = half - LABEL - 1;
    return [run(` ${padEnd(label, LABEL)}`, 'dim'), run(padEnd(cut(text, room), room))];
  };
  const rate = (value: number | null) => (value === null ? '-' : shortNumber(value));
  const answered = track.totals.at(-1)?.figures ?? null;
  const lines: Line[] = [
    title,
    [],
    [...fact('cpu', formatPercent(worker.cpuPercent)), ...fact('requests/s', rate(track.requestsPerS))],
    [...fact('memory', formatBytes(worker.rssBytes)), ...fact('errors/s', rate(track.errorsPerS))],
    [...fact('loop delay', formatDelay(worker.eventLoopDelayMs)), ...fact('p99, 10 s', formatDelay(track.p99Ms))],
    [...fact('connections', formatCount(worker.connections)), ...fact('requests', formatCount(worker.requests))],
    [
      ...fact('accepted', formatCount(worker.accepted)),
      ...fact('5xx answers', formatCount(answered?.serverErrors ?? null)),
    ],
    [...fact('queue', formatCount(queue)), ...fact('weight', formatCount(weight))],
    [...fact('crashes', `${restarts} of its slot`), ...fact('recycled', `${recycled} of its slot`)],
  ];
  const bars = Math.min(MOST_BARS, width - LABEL - SCALE - 3);
  const chart = (label: string, values: readonly (number | null)[], least: number, unit: (top: number) => string) => {
    const top = Math.max(least, ...values.slice(-bars).map((value) => value ?? 0));
    const text = sparkline(values, Math.min(bars, values.length), top);
    lines.push([run(` ${padEnd(label, LABEL)}${padStart(unit(top), SCALE)} `, 'dim'), run(text, 'chart')]);
  };
  lines.push([]);
  chart('cpu', track.cpu, FULL, (top) => `${Math.round(top)}%`);
  chart('requests/s', track.requests, 1, shortNumber);
  chart('loop delay', track.delays, 1, formatDelay);
  lines.push([]);
  if (restartReason !== null) lines.push([run(` the last one of its slot: ${safe(restartReason)}`, 'busy')]);
  if (worker.scriptChanged) {
    lines.push([run(` it runs a file that has changed since generation ${generation} was loaded`, 'busy')]);
  }
  for (const what of worker.missing) lines.push([run(` missing: ${safe(what)}`, 'busy')]);
  if (status?.workers.every((one) => one.id !== id)) lines.push([run(' it has gone', 'bad')]);
  return lines;
}
