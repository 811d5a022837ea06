/** Which worker is not like the others, and in what. Pure. */
import type { PageWorker } from '../protocol/page.js';

type Figure = 'requests' | 'errors' | 'p99Ms' | 'loopDelayMs' | 'cpu' | 'memoryBytes';

interface Bounds {
  readonly name: string;
  /** How much more than the others at least, so that nothing is made of little, and how many times as much. */
  readonly least: number;
  readonly times: number;
  /** So much less is told as well. */
  readonly isTooLittle?: true;
}

const FIGURES: Readonly<Record<Figure, Bounds>> = {
  requests: { name: 'requests', least: 20, times: 3, isTooLittle: true },
  errors: { name: 'errors', least: 1, times: 3 },
  p99Ms: { name: 'p99', least: 100, times: 3 },
  loopDelayMs: { name: 'loop delay', least: 100, times: 3 },
  cpu: { name: 'CPU', least: 0.3, times: 2 },
  memoryBytes: { name: 'memory', least: 50 * 1024 ** 2, times: 1.5 },
};

/** A new one has the connections that came since; those that stay open are with the others. */
const NEW_MS = 60_000;

/**
 * By worker: what is said of it. With fewer than three that serve there are no others to be like.
 *
 * @param canary slot of the canary, which is to have less than the others; null where there is none
 */
export function differences(workers: readonly PageWorker[], canary: number | null): ReadonlyMap<number, string> {
  const ready = workers.filter(({ state }) => state === 'ready');
  const found = new Map<number, string>();
  if (ready.length < 3) return found;
  for (const worker of ready) {
    const said = (Object.keys(FIGURES) as Figure[]).flatMap((figure) => {
      const own = worker[figure];
      const others = ready.flatMap((other) => (other === worker ? [] : (other[figure] ?? [])));
      const { name, least, times, isTooLittle } = FIGURES[figure];
      const usual = median(others);
      if (own === null || usual === null) return [];
      const isMuch = own - usual >= least && own >= times * usual;
      const hasItsShare = worker.slot !== canary && worker.uptimeMs >= NEW_MS;
      const isLittle = isTooLittle && hasItsShare && usual - own >= least && times * own <= usual;
      if (!isMuch && !isLittle) return [];
      if (own === 0) return [`no ${name}`];
      return [usual === 0 ? name : `${name} ${(own / usual).toFixed(1)} times that of the others`];
    });
    if (said.length > 0) found.set(worker.id, said.join(', '));
  }
  return found;
}

function median(values: readonly number[]): number | null {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
