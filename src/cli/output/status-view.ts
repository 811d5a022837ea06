/** The status of supervisors as text for people: pure. */
import path from 'node:path';
import type { ListedSupervisor } from '../../control/client/find.js';
import type { ConnectionCounts } from '../../protocol/measured.js';
import type {
  AddressStatus,
  CanaryStatus,
  HandoverTotals,
  RolloutStatus,
  SocketStatus,
  SupervisorStatus,
  TrialStatus,
  WorkerStatus,
} from '../../protocol/status.js';
import type { Looks } from '../process/context.js';
import { wrap } from './cells.js';
import { formatBytes, formatCount, formatDelay, formatDuration, formatPercent, formatRest } from './quantity.js';
import { type Cell, type Column, formatTable, type Paint, printable } from './table.js';

const plain: Paint = (text) => text;

interface Palette {
  readonly bold: Paint;
  readonly good: Paint;
  readonly busy: Paint;
  readonly bad: Paint;
}

/** SGR codes of ECMA-48. */
function palette(colour: boolean): Palette {
  const sgr = (on: number, off: number): Paint => (colour ? (text) => `\u001b[${on}m${text}\u001b[${off}m` : plain);
  return { bold: sgr(1, 22), good: sgr(32, 39), busy: sgr(33, 39), bad: sgr(31, 39) };
}

/** One supervisor: a head with what holds for all, then a line for each worker. */
export function describeSupervisor(status: SupervisorStatus, { colour, columns }: Looks): string {
  const paint = palette(colour);
  const state = paintState(status.state, paint)(status.state);
  const head = [
    paint.bold(printable(status.name)),
    `pid ${status.pid}`,
    state,
    `generation ${status.generation}`,
    workersText(status),
    `up ${formatDuration(status.uptimeMs)}`,
  ];
  const facts: [label: string, text: string][] = [
    ['script', status.exec ? `${status.script} (a program, run as it is)` : status.script],
    ['listens on', status.addresses.map(addressText).join(', ') || '-'],
    ['listen mode', `${status.listenMode}: ${status.listenModeReason}`],
    ['steering', steeringText(status)],
    ['rollout', rolloutText(status.rollout)],
    ['supervisor', supervisorText(status)],
  ];
  const handover = handoverText(status.handover);
  if (handover !== null) facts.push(['handed over', handover]);
  const cutOff = countsText(status.cutOff);
  if (cutOff !== '') facts.push(['cut off', `${cutOff}: still open when their worker's drain was over`]);
  const { upgrade } = status;
  if (upgrade && !upgrade.possible) facts.push(['upgrade', `not possible: ${upgrade.reason}`]);
  if (upgrade?.last?.failure) facts.push(['upgrade', `rolled back: ${upgrade.last.failure}`]);
  for (const worker of replacedWorkers(status)) facts.push(['replaced', replacedText(worker)]);
  for (const { id, generation, scriptChanged, missing } of status.workers) {
    const text = `since generation ${generation} was loaded: worker ${id} runs the new file`;
    for (const what of missing) facts.push(['missing', `worker ${id}: ${what}`]);
    if (scriptChanged) facts.push(['script changed', text]);
  }
  const crashLoop = status.crashLoop ? `  ${paint.bad('crash loop: workers crash again and again')}\n` : '';
  const table =
    status.workers.length === 0
      ? '  no workers\n'
      : formatTable(workerColumns(status.addresses, paint), status.workers, { paintTitle: paint.bold, room: columns });
  return `${head.join('  ')}\n${factLines(facts, columns)}${crashLoop}\n${table}`;
}

/** A line for each; on a terminal broken at blanks, below its text. */
export function factLines(
  facts: readonly (readonly [label: string, text: string])[],
  columns = Number.POSITIVE_INFINITY,
): string {
  const width = Math.max(...facts.map(([label]) => label.length));
  return facts
    .flatMap(([label, text]) =>
      wrap(printable(text), columns - width - 4).map(
        (line, at) => `  ${(at === 0 ? label : '').padEnd(width)}  ${line}\n`,
      ),
    )
    .join('');
}

/** Several supervisors: a line for each. */
export function listOfSupervisors(listed: readonly ListedSupervisor[], { colour, columns }: Looks): string {
  const paint = palette(colour);
  return formatTable(supervisorColumns(paint), listed, { paintTitle: paint.bold, room: columns });
}

/** null where nothing was to be handed over yet. */
function handoverText({ on, handed, refused, takenBack, stayed }: HandoverTotals): string | null {
  if (!on) return 'off: clients of a worker that drains are asked to connect again';
  const reasons = Object.entries(stayed);
  if (handed + refused + takenBack + reasons.length === 0) return null;
  const rest = [
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(takenBack > 0 ? [`${takenBack} taken back`] : []),
    ...reasons.map(([reason, count]) => `${count} stayed (${reason})`),
  ];
  return [`${handed} connections`, ...rest].join(', ');
}

function countsText(counts: ConnectionCounts): string {
  return Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}

function workerColumns(addresses: readonly AddressStatus[], paint: Palette): Column<WorkerStatus>[] {
  return [
    right('slot', (worker) => worker.slot),
    right('worker', (worker) => worker.id),
    right('gen', (worker) => worker.generation),
    right('pid', (worker) => formatCount(worker.pid)),
    left('state', (worker) => ({ text: worker.state, paint: paintState(worker.state, paint) })),
    right('uptime', (worker) => formatDuration(worker.uptimeMs)),
    right('restarts', (worker) => worker.restarts),
    right('cpu', (worker) => formatPercent(worker.cpuPercent)),
    right('mem', (worker) => formatBytes(worker.rssBytes)),
    right('loop delay', (worker) => formatDelay(worker.eventLoopDelayMs), 4),
    right('weight', ({ slot }) => formatCount(socketsOf(addresses, slot)[0]?.weight ?? null), 5),
    right('queue', ({ slot }) => formatCount(queueOf(addresses, slot)), 3),
    right('conns', (worker) => formatCount(worker.connections)),
    right('accepted', (worker) => formatCount(worker.accepted), 6),
    right('reqs', (worker) => formatCount(worker.requests), 2),
  ];
}

/** Its own ones: not one that all slots share. */
function socketsOf(addresses: readonly AddressStatus[], slot: number): SocketStatus[] {
  return addresses.flatMap(({ sockets }) => sockets.filter((socket) => socket.slot === slot));
}

/** Connections that wait for the slot, on all of its addresses. */
function queueOf(addresses: readonly AddressStatus[], slot: number): number | null {
  const lengths = socketsOf(addresses, slot).flatMap(({ queueLength }) => queueLength ?? []);
  return lengths.length === 0 ? null : lengths.reduce((sum, length) => sum + length, 0);
}

function supervisorColumns(paint: Palette): Column<ListedSupervisor>[] {
  const known = (text: (status: SupervisorStatus) => string | number) => (listed: ListedSupervisor) =>
    listed.status === null ? '-' : text(listed.status);
  return [
    left('name', ({ name }) => ({ text: printable(name) })),
    left('state', ({ status }) => {
      const state = status?.state ?? 'not answering';
      return { text: state, paint: paintState(state, paint) };
    }),
    right('workers', known(workersOf)),
    {
      ...left('mode', (listed) => ({ text: printable(String(known(({ listenMode }) => listenMode)(listed))) })),
      rank: 7,
    },
    right('cpu', known(cpuOf), 3),
    right('mem', known(memoryOf)),
    right('uptime', known(uptimeOf), 1),
    right('restarts', known(restartsOf), 2),
    right('gen', known(generationOf), 6),
    right('pid', known(pidOf), 4),
    left('listens on', (listed) => ({ text: printable(String(known(listensOn)(listed))) })),
    {
      ...left('release', (listed) => ({ text: printable(String(known(releaseOf)(listed))) })),
      ...{ rank: 5, least: 12 },
    },
  ];
}

const workersOf = (status: SupervisorStatus) => `${readyCount(status)}/${status.size}`;
const uptimeOf = ({ uptimeMs }: SupervisorStatus) => formatDuration(uptimeMs);
const generationOf = ({ generation }: SupervisorStatus) => generation;
const pidOf = ({ pid }: SupervisorStatus) => pid;
const listensOn = ({ addresses }: SupervisorStatus) => addresses.map(addressText).join(', ') || '-';

/** Of the supervisor and its workers together. */
function cpuOf({ cpuPercent, workers }: SupervisorStatus): string {
  return formatPercent(sumOf([cpuPercent, ...workers.map((worker) => worker.cpuPercent)]));
}

function memoryOf({ rssBytes, workers }: SupervisorStatus): string {
  return formatBytes(sumOf([rssBytes, ...workers.map((worker) => worker.rssBytes)]));
}

/** null where nothing is known. */
function sumOf(amounts: readonly (number | null)[]): number | null {
  const known = amounts.filter((amount) => amount !== null);
  return known.length === 0 ? null : known.reduce((sum, amount) => sum + amount, 0);
}

function restartsOf({ totals }: SupervisorStatus): number {
  return Object.values(totals.restarts).reduce((sum, count) => sum + count, 0);
}

/** Its folder, and what is under way there. A supervisor of an earlier version does not tell the folder. */
function releaseOf({ release, script, rollout }: SupervisorStatus): string {
  const folder = release?.folder ?? path.dirname(script);
  if (rollout.state !== 'running' && rollout.state !== 'rolledBack') return folder;
  // A line of a table has no room for a stack: `holdfast status` has it.
  const reason = rollout.reason?.replace(/(?:; the last it wrote:)?\n.*/s, '') ?? null;
  return `${folder}  ${rolloutText({ ...rollout, reason })}`;
}

function right<Row>(title: string, text: (row: Row) => string | number, rank = 0): Column<Row> {
  return { title, align: 'right', cell: (row) => ({ text: String(text(row)) }), rank };
}

function left<Row>(title: string, cell: (row: Row) => Cell): Column<Row> {
  return { title, align: 'left', cell };
}

function paintState(state: string, paint: Palette): Paint {
  if (state === 'running' || state === 'ready') return paint.good;
  return state === 'starting' || state === 'draining' || state === 'stopping' ? paint.busy : paint.bad;
}

function readyCount(status: SupervisorStatus): number {
  return status.workers.filter((worker) => worker.state === 'ready').length;
}

function workersText(status: SupervisorStatus): string {
  return `${readyCount(status)} of ${status.size} ${status.size === 1 ? 'worker' : 'workers'} ready`;
}

function addressText({ kind, host, port }: AddressStatus): string {
  if (kind === 'unix') return `unix:${host}`;
  if (kind === 'udp') return `udp ${addressText({ kind: 'tcp', host, port, sockets: [] })}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function steeringText({ steering, steeringReason, affinity }: SupervisorStatus): string {
  return `${steering ? 'on' : 'off'}: ${steeringReason}${affinity === 'none' ? '' : `, affinity ${affinity}`}`;
}

/** One for each slot. */
function replacedWorkers({ workers }: SupervisorStatus): WorkerStatus[] {
  const known = workers.filter(({ restartReason }) => restartReason !== null);
  return known.filter((worker, at) => known.findIndex(({ slot }) => slot === worker.slot) === at);
}

function replacedText({ slot, restarts, recycled, restartReason }: WorkerStatus): string {
  const times = (count: number, what: string) =>
    count === 0 ? '' : `, ${count} ${count === 1 ? 'time' : 'times'} ${what}`;
  return `slot ${slot}${times(restarts, 'after a crash')}${times(recycled, 'recycled')}, the last time: ${restartReason}`;
}

function canaryText(canary: CanaryStatus | null): string {
  if (canary === null) return '';
  const { slot, share, exact, remainingMs } = canary;
  const percent = `${exact ? '' : 'about '}${Math.round(share * 1_000) / 10}%`;
  const left = remainingMs === null ? 'not compared yet' : `${formatRest(remainingMs)} left`;
  return `, canary in slot ${slot} with ${percent} of new connections, ${left}`;
}

function trialText(trial: TrialStatus | null): string {
  if (trial === null) return '';
  const left = trial.remainingMs === null ? 'not ready yet' : `${formatRest(trial.remainingMs)} left`;
  return `, first worker on trial in slot ${trial.slot}, ${left}`;
}

function rolloutText({ state, reason, from, to, canary, trial }: RolloutStatus): string {
  if (state === 'none') return 'none';
  const words = state === 'rolledBack' ? 'rolled back' : state;
  const generations = from === null || to === null ? '' : ` (generation ${from} to ${to})`;
  return `${words}${generations}${canaryText(canary)}${trialText(trial)}${reason === null ? '' : `: ${reason}`}`;
}

function supervisorText({ version, nodeVersion, cpuPercent, rssBytes }: SupervisorStatus): string {
  return `holdfast ${version}, node ${nodeVersion}, cpu ${formatPercent(cpuPercent)}, mem ${formatBytes(rssBytes)}`;
}
