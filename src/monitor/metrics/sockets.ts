/**
 * What there is of each socket as metrics. Their labels are kept from scrape to scrape, as they are told of each socket four times.
 * Pure.
 */
import type { SupervisorStatus } from '../../protocol/status.js';
import type { Labels, Sample } from '../formats/family.js';
import type { MetricName } from './catalog.js';

type Address = SupervisorStatus['addresses'][number];
type Socket = Address['sockets'][number];

const share = ({ weight }: Socket, all: number) => (weight === null || all === 0 ? null : weight / all);

/** OpenTelemetry has none of them. */
const METRICS: readonly (readonly [name: MetricName, value: (socket: Socket, weights: number) => number | null])[] = [
  ['holdfast_socket_queue_length', ({ queueLength }) => queueLength],
  ['holdfast_socket_queue_limit', ({ backlog }) => backlog],
  ['holdfast_socket_weight', ({ weight }) => weight],
  ['holdfast_socket_share', share],
];

export class SocketMetrics {
  /** Those of the last scrape: addresses come and go. By address, then by slot. */
  #known: ReadonlyMap<string, ReadonlyMap<number | null, Labels>> = new Map();

  /** Metrics that no socket has are left out. */
  of({ addresses }: Pick<SupervisorStatus, 'addresses'>): { name: MetricName; samples: readonly Sample[] }[] {
    const found = METRICS.map(([name]) => ({ name, samples: [] as Sample[] }));
    const told = new Map<string, Map<number | null, Labels>>();
    for (const { host, port, sockets } of addresses) {
      const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      const labels = told.get(address) ?? new Map<number | null, Labels>();
      told.set(address, labels);
      const weights = sockets.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
      for (const socket of sockets) {
        const own = this.#known.get(address)?.get(socket.slot) ?? labelsOf(address, socket.slot);
        labels.set(socket.slot, own);
        for (const [i, [, find]] of METRICS.entries()) {
          const value = find(socket, weights);
          if (value !== null) found[i]?.samples.push({ suffix: '', labels: own, value });
        }
      }
    }
    this.#known = told;
    return found.filter(({ samples }) => samples.length > 0);
  }
}

function labelsOf(address: string, slot: number | null): Labels {
  return [
    ['address', address],
    ['slot', String(slot ?? 'all')],
  ];
}
