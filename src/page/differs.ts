/** Which worker is not like the others, and in what. Pure. */
import type { PageWorker } from '../protocol/page.js';

type Figure = 'requests' | 'errors' | 'p99Ms' | 'loopDelayMs' | 'cpu' | 'memoryBytes';

/** How many times as much as the others, and how much more at least, so that nothing is made of little. */
const FIGURES: Readonly<Record<Figure, { readonly name: string; readonly least: number; readonly times: number }>> = {
  requests: { name: 'requests', least: 20, times: 3 },
  errors: { name: 'errors', least: 1, times: 3 },
  p99Ms: { name: 'p99', least: 100, times: 3 },
  loopDelayMs: { name: 'loop delay', least: 100, times: 3 },
  cpu: { name: 'CPU', least: 0.3, times: 2 },
  memoryBytes: { name: 'memory', least: 50 * 1024 ** 2, times: 1.5 },
};

/** By worker: what is said of it. With fewer than three that serve there are no others to be like. */
export function differences(workers: readonly PageWorker[]): ReadonlyMap<number, string> {
  const ready = workers.filter(({ state }) => state === 'ready');
  const found = new Map<number, string>();
  if (ready.length < 3) return found;
  for (const worker of ready) {
    const said = (Object.keys(FIGURES) as Figure[]).flatMap((figure) => {
      const own = worker[figure];
      const others = ready.flatMap((other) => (other === worker ? [] : (other[figure] ?? [])));
      const { name, least, times } = FIGURES[figure];
      const usual = median(others);
      if (own === null || usual === null || own - usual < least || own < times * usual) return [];
      return [usual === 0 ? name : `${name} ${(own / usual).toFixed(1)} times that of the others`];
    });
    if (said.length > 0) found.set(worker.id, said.join(', '));
  }
  return found;
}

function median(values: readonly number[]): number | null {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
