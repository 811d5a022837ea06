/**
 * The status as metrics for Prometheus.
 *
 * Asked by the admin server when somebody scrapes; between two scrapes nothing is done. Labels are bounded by the number
 * of slots, never by what has come and gone: workers are told apart by their slot, and those that share one for the
 * time of a rollout are added up.
 */
import type { MetricsText, SupervisorStatus, WorkerState, WorkerStatus } from '../protocol.js';

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [value: number | null, labels?: Labels];

/** In the order of a worker's life, all of them told, also those that nobody is in. */
const STATES = ['starting', 'ready', 'draining', 'terminating', 'killing'] as const satisfies readonly WorkerState[];

/** What the system says of the supervisor's own process. */
export interface OwnProcess {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Since 1970. */
  readonly startedAtSeconds: number;
}

/** By the first scrape, or before: many a supervisor is never asked. */
export const loadMetrics = () => import('prom-client');

export class Metrics {
  /** Requests by slot, of all its workers up to now. */
  readonly #requests = new Map<number, number>();
  /** What each worker had answered at the last scrape, by its id. */
  readonly #counted = new Map<number, number>();

  /** The text that a scrape answers with. What is not known of a worker is left out. */
  async render(status: SupervisorStatus, own: OwnProcess): Promise<MetricsText> {
    this.#count(status);
    const { default: client } = await loadMetrics();
    const registry = new client.Registry();
    const gauge = (name: string, help: string, samples: readonly Sample[]) =>
      fill(new client.Gauge({ name, help, labelNames: labelsOf(samples), registers: [registry] }), samples);
    const counter = (name: string, help: string, samples: readonly Sample[]) => {
      const metric = new client.Counter({ name, help, labelNames: labelsOf(samples), registers: [registry] });
      fill({ set: (labels, value) => metric.inc(labels, value) }, samples);
    };
    this.#describe(status, own, { gauge, counter });
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  #describe(status: SupervisorStatus, own: OwnProcess, { gauge, counter }: Kinds): void {
    const { name, version, nodeVersion: node_version, listenMode: listen_mode, workers, totals } = status;
    gauge('holdfast_info', 'Always 1; what runs is in the labels', [[1, { name, version, node_version, listen_mode }]]);
    gauge('holdfast_generation', 'The generation that every slot is on its way to', [[status.generation]]);
    gauge('holdfast_size', 'Number of slots', [[status.size]]);
    gauge('holdfast_crash_loop', '1 while workers crash too often', [[Number(status.crashLoop)]]);
    gauge('holdfast_steering', '1 while connections are steered, with all that belongs to it', [
      [Number(status.steering)],
    ]);
    gauge('holdfast_rollout_running', '1 while a rollout is under way', [[Number(status.rollout.state === 'running')]]);
    counter('holdfast_rollouts_total', 'Rollouts that have ended, by outcome', [
      [totals.rollouts.done, { outcome: 'done' }],
      [totals.rollouts.rolledBack, { outcome: 'rolled_back' }],
    ]);
    counter(
      'holdfast_restarts_total',
      'Workers that were replaced before their time, by reason',
      Object.entries(totals.restarts).map(([reason, count]) => [count, { reason }]),
    );
    counter(
      'holdfast_connections_cut_off_total',
      'Connections that were still open when the drain of their worker ended, by kind',
      Object.entries(status.cutOff).map(([kind, count]) => [count, { kind }]),
    );
    const { handed, refused, takenBack: taken_back, stayed } = status.handover;
    counter(
      'holdfast_connections_handed_over_total',
      'Open connections that a draining worker gave to another one, by outcome',
      Object.entries({ handed, refused, taken_back, stayed: Object.values(stayed).reduce(add, 0) }).map(
        ([outcome, count]) => [count, { outcome }],
      ),
    );
    gauge(
      'holdfast_workers',
      'Workers by state',
      STATES.map((state) => [workers.filter((worker) => worker.state === state).length, { state }]),
    );

    const perSlot = (value: (worker: WorkerStatus) => number | null, together = add): Sample[] =>
      bySlot(workers, value, together).map(([slot, amount]) => [amount, { slot }]);
    gauge(
      'holdfast_worker_cpu_percent',
      'CPU time since somebody last asked, 100 is one CPU',
      perSlot((worker) => worker.cpuPercent),
    );
    gauge(
      'holdfast_worker_resident_memory_bytes',
      'Resident memory, what is shared included',
      perSlot((worker) => worker.rssBytes),
    );
    gauge(
      'holdfast_worker_event_loop_delay_seconds',
      'How long a question waited for the event loop just now; the longest of the slot',
      perSlot(({ eventLoopDelayMs: ms }) => (ms === null ? null : ms / 1000), Math.max),
    );
    gauge(
      'holdfast_worker_connections',
      'Open connections',
      perSlot((worker) => worker.connections),
    );
    counter(
      'holdfast_worker_requests_total',
      'Requests, of all workers that the slot has had',
      [...this.#requests].map(([slot, count]) => [count, { slot }]),
    );

    const perSocket = (value: (socket: SocketOf) => number | null): Sample[] =>
      status.addresses.flatMap(({ host, port, sockets }) =>
        sockets.map(
          (socket) =>
            [
              value(socket),
              { address: `${host.includes(':') ? `[${host}]` : host}:${port}`, slot: socket.slot ?? 'all' },
            ] as const,
        ),
      );
    const queue = 'holdfast_socket_queue';
    gauge(
      `${queue}_length`,
      'Connections that wait to be accepted',
      perSocket((socket) => socket.queueLength),
    );
    gauge(
      `${queue}_limit`,
      'How many may wait',
      perSocket((socket) => socket.backlog),
    );
    gauge(
      'holdfast_socket_weight',
      'Share of new connections, relative to its siblings',
      perSocket((socket) => socket.weight),
    );

    counter('process_cpu_seconds_total', 'CPU time of the supervisor itself', [[own.cpuSeconds]]);
    gauge('process_resident_memory_bytes', 'Resident memory of the supervisor itself', [[own.rssBytes]]);
    gauge('process_start_time_seconds', 'When the supervisor began, since 1970', [[own.startedAtSeconds]]);
  }

  /** A worker's figure begins at 0 and goes with it; that of its slot only ever grows. */
  #count({ workers, size }: SupervisorStatus): void {
    for (const { id, slot, requests } of workers) {
      if (requests === null) continue;
      const more = Math.max(0, requests - (this.#counted.get(id) ?? 0));
      this.#requests.set(slot, (this.#requests.get(slot) ?? 0) + more);
      this.#counted.set(id, requests);
    }
    for (const id of this.#counted.keys()) if (!workers.some((worker) => worker.id === id)) this.#counted.delete(id);
    const isGone = (slot: number) => slot >= size && !workers.some((worker) => worker.slot === slot);
    for (const slot of this.#requests.keys()) if (isGone(slot)) this.#requests.delete(slot);
  }
}

type SocketOf = SupervisorStatus['addresses'][number]['sockets'][number];
type Kind = (name: string, help: string, samples: readonly Sample[]) => void;
interface Kinds {
  readonly gauge: Kind;
  readonly counter: Kind;
}

function labelsOf(samples: readonly Sample[]): string[] {
  return [...new Set(samples.flatMap(([, labels = {}]) => Object.keys(labels)))];
}

function fill(metric: { set(labels: Labels, value: number): void }, samples: readonly Sample[]): void {
  for (const [value, labels = {}] of samples) if (value !== null) metric.set(labels, value);
}

function bySlot(
  workers: readonly WorkerStatus[],
  value: (worker: WorkerStatus) => number | null,
  together: (one: number, other: number) => number,
): [slot: number, value: number][] {
  const found = new Map<number, number>();
  for (const worker of workers) {
    const amount = value(worker);
    if (amount === null) continue;
    const present = found.get(worker.slot);
    found.set(worker.slot, present === undefined ? amount : together(present, amount));
  }
  return [...found];
}

const add = (one: number, other: number): number => one + other;
