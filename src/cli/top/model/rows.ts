/** The workers as rows: what is shown of each, in which order, and which. Pure. */
import type { AddressStatus, SupervisorStatus, WorkerState, WorkerStatus } from '../../../protocol/status.js';
import { formatBytes, formatDelay, formatDuration } from '../../output/quantity.js';
import type { Style } from '../../output/runs.js';
import { type History, NO_TRACK, type Track } from './history.js';

export interface Row {
  readonly worker: WorkerStatus;
  readonly track: Track;
  /** Connections that wait for its slot; null where the system does not tell, or all slots share them. */
  readonly queue: number | null;
  readonly weight: number | null;
}

export interface Column {
  readonly key: SortKey;
  readonly title: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  /** Shown where there is room; the smallest number first. */
  readonly rank: number;
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => Style;
  /** For the order: the largest first, unless it is reversed. */
  readonly value: (row: Row) => number | null;
  /** The smallest first. */
  readonly ascending?: boolean;
}

export type SortKey =
  | ('slot' | 'worker' | 'generation' | 'pid' | 'state' | 'cpu' | 'memory' | 'delay' | 'connections')
  | ('requests' | 'errors' | 'p99' | 'queue' | 'weight' | 'uptime' | 'restarts');

const STATES: Readonly<Record<WorkerState, string>> = {
  starting: 'starting',
  ready: 'ready',
  draining: 'draining',
  terminating: 'ending',
  killing: 'killed',
  gone: 'gone',
};
/** In which a number of its kind is worth a look. */
const BUSY_CPU = 90;
const LATE_MS = 100;

/** In their order on the screen. Those of rank 0 have room on 80 columns. */
export const COLUMNS: readonly Column[] = [
  column('slot', 'slot', 4, 0, ({ worker }) => worker.slot, { ascending: true }),
  column('worker', 'worker', 6, 2, ({ worker }) => worker.id, { ascending: true }),
  column('generation', 'gen', 3, 0, ({ worker }) => worker.generation),
  column('pid', 'pid', 7, 3, ({ worker }) => worker.pid, { ascending: true }),
  {
    ...column('state', 'state', 8, 0, ({ worker }) => Object.keys(STATES).indexOf(worker.state)),
    ...{ align: 'left', text: ({ worker }) => STATES[worker.state], style: stateStyle },
  },
  column('uptime', 'uptime', 7, 1, ({ worker }) => worker.uptimeMs, { text: formatDuration }),
  column('restarts', 'restarts', 8, 4, ({ worker }) => worker.restarts, {
    style: (count) => (count > 0 ? 'busy' : 'plain'),
  }),
  column('cpu', 'cpu%', 4, 0, ({ worker }) => worker.cpuPercent, {
    text: (percent) => shortNumber(percent),
    style: (percent) => (percent >= BUSY_CPU ? 'busy' : 'plain'),
  }),
  column('memory', 'mem', 6, 0, ({ worker }) => worker.rssBytes, { text: shortBytes }),
  column('delay', 'loop', 5, 0, ({ worker }) => worker.eventLoopDelayMs, {
    text: shortDelay,
    style: (ms) => (ms >= LATE_MS ? 'bad' : 'plain'),
  }),
  column('connections', 'conn', 4, 0, ({ worker }) => worker.connections, { text: shortNumber }),
  column('requests', 'req/s', 5, 0, ({ track }) => track.requestsPerS, { text: shortNumber }),
  column('errors', 'err/s', 5, 0, ({ track }) => track.errorsPerS, {
    text: shortNumber,
    style: (rate) => (rate > 0 ? 'bad' : 'plain'),
  }),
  column('p99', 'p99', 5, 0, ({ track }) => track.p99Ms, { text: shortDelay }),
  column('queue', 'queue', 5, 0, ({ queue }) => queue, {
    text: shortNumber,
    style: (length) => (length > 0 ? 'busy' : 'plain'),
  }),
  column('weight', 'weight', 6, 0, ({ weight }) => weight, { text: shortNumber }),
];

interface Looks {
  readonly ascending?: boolean;
  readonly text?: (value: number) => string;
  readonly style?: (value: number) => Style;
}

function column(
  key: SortKey,
  title: string,
  width: number,
  rank: number,
  value: (row: Row) => number | null,
  { ascending = false, text = String, style = () => 'plain' }: Looks = {},
): Column {
  const shown = (row: Row) => {
    const known = value(row);
    return known === null ? '-' : text(known);
  };
  const painted = (row: Row): Style => {
    const known = value(row);
    return known === null ? 'dim' : style(known);
  };
  return { key, title, width, align: 'right', rank, value, ascending, text: shown, style: painted };
}

function stateStyle({ worker: { state } }: Row): Style {
  if (state === 'ready') return 'good';
  return state === 'starting' || state === 'draining' || state === 'terminating' ? 'busy' : 'bad';
}

/** At most 4 characters: `0`, `0.4`, `4`, `12`, `1234`, `12k`, `1.2M`. */
export function shortNumber(value: number): string {
  if (value < 9.95) return String(Number(value.toFixed(1)));
  if (value < 9_999.5) return String(Math.round(value));
  if (value < 999_500) return `${Math.round(value / 1_000)}k`;
  return value < 9_950_000 ? `${(value / 1e6).toFixed(1)}M` : `${Math.round(value / 1e6)}M`;
}

/** At most 5 characters: `0.3ms`, `120ms`, `1.2s`. */
export function shortDelay(ms: number): string {
  if (ms < 999.5) return formatDelay(ms);
  return ms < 9_950 ? `${(ms / 1000).toFixed(1)}s` : `${Math.round(ms / 1000)}s`;
}

/** At most 6 characters. */
function shortBytes(bytes: number): string {
  return bytes < 1023.95 * 1024 ** 2 && bytes >= 999.95 * 1024 ** 2
    ? `${Math.round(bytes / 1024 ** 2)}M`
    : formatBytes(bytes);
}

export interface Order {
  readonly sort: SortKey;
  readonly reversed: boolean;
  /** Only rows in whose words this is; empty for all. */
  readonly filter: string;
}

export function rowsOf(history: History, { sort, reversed, filter }: Order): Row[] {
  const { status, tracks } = history;
  if (status === null) return [];
  const by = COLUMNS.find(({ key }) => key === sort);
  const words = filter.trim().toLowerCase();
  // `slot 1` is not slot 12.
  const wanted = /\d$/.test(words) ? `${words} ` : words;
  return status.workers
    .map((worker): Row => {
      const sockets = socketsOf(status, worker.slot);
      const lengths = sockets.flatMap(({ queueLength }) => queueLength ?? []);
      return {
        worker,
        track: tracks.get(worker.id) ?? NO_TRACK,
        queue: lengths.length === 0 ? null : lengths.reduce((sum, length) => sum + length, 0),
        weight: sockets[0]?.weight ?? null,
      };
    })
    .filter((row) => `${wordsOf(row)} `.includes(wanted))
    .sort(
      (a, b) =>
        compare(by?.value(a) ?? null, by?.value(b) ?? null, by?.ascending === true) * (reversed ? -1 : 1) ||
        a.worker.slot - b.worker.slot ||
        a.worker.id - b.worker.id,
    );
}

/** What a filter looks at. */
function wordsOf({ worker: { slot, id, generation, pid, state } }: Row): string {
  return `slot ${slot} worker ${id} generation ${generation} gen ${generation} pid ${pid} ${state} ${STATES[state]}`;
}

/** What is not known comes last. */
function compare(a: number | null, b: number | null, ascending: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return ascending ? a - b : b - a;
}

/** Its own ones: not one that all slots share. */
function socketsOf({ addresses }: SupervisorStatus, slot: number): AddressStatus['sockets'] {
  return addresses.flatMap(({ sockets }) => sockets.filter((socket) => socket.slot === slot));
}

/** The columns that have room, and how much is left for the bars. */
export function columnsFor(
  width: number,
  leastBars: number,
): { readonly columns: readonly Column[]; readonly bars: number } {
  // A blank beside each column.
  const used = (columns: readonly Column[]) => columns.reduce((sum, one) => sum + one.width + 1, 1);
  let columns = COLUMNS.filter(({ rank }) => rank === 0);
  for (let rank = 1; rank <= 4; rank++) {
    const more = COLUMNS.filter((one) => one.rank === rank || columns.includes(one));
    if (used(more) + leastBars > width) break;
    columns = more;
  }
  while (used(columns) > width && columns.length > 1) columns = columns.slice(0, -1);
  return { columns, bars: Math.max(0, width - used(columns)) };
}
