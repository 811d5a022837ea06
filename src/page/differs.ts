/** Which worker is not like the others, and in what. Pure. */
import type { PageNow, PageWorker } from '../protocol/page.js';

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
 * @param spared slots that are to have less than the others, such as a canary's
 */
export function differences(workers: readonly PageWorker[], spared: ReadonlySet<number>): ReadonlyMap<number, string> {
  const ready = workers.filter(({ state }) => state === 'ready');
  const found = new Map<number, string[]>();
  if (ready.length < 3) return new Map();
  for (const figure of Object.keys(FIGURES) as Figure[]) {
    const odd = ready.flatMap((worker) => compared(worker, ready, figure) ?? []);
    const little = odd.filter(({ isLittle }) => isLittle);
    // Of whom half have little, those are not the odd ones.
    const isUsual = 2 * little.length >= ready.length;
    for (const { worker, isLittle, text } of odd) {
      if (isLittle && (isUsual || spared.has(worker.slot) || worker.uptimeMs < NEW_MS)) continue;
      found.set(worker.id, [...(found.get(worker.id) ?? []), text]);
    }
  }
  return new Map([...found].map(([id, said]) => [id, said.join(', ')]));
}

/** Slots that are to have less than the others: a canary's, and those that the kernel is told to pick less than half as often. */
export function sparedSlots({
  rollout,
  addresses,
}: Pick<PageNow['status'], 'rollout' | 'addresses'>): ReadonlySet<number> {
  const canary = rollout.canary?.slot;
  const eased = addresses.flatMap(({ sockets }) => {
    const weights = sockets.flatMap(({ slot, weight }) => (slot === null || slot === canary ? [] : [{ slot, weight }]));
    const most = Math.max(...weights.map(({ weight }) => weight ?? 0));
    return weights.flatMap(({ slot, weight }) => (weight !== null && 2 * weight < most ? slot : []));
  });
  return new Set(canary === undefined ? eased : [...eased, canary]);
}

interface Odd {
  readonly worker: PageWorker;
  readonly isLittle: boolean;
  readonly text: string;
}

/** null for one that is like the others. */
function compared(worker: PageWorker, ready: readonly PageWorker[], figure: Figure): Odd | null {
  const own = worker[figure];
  const others = ready.flatMap((other) => (other === worker ? [] : (other[figure] ?? []))).sort((a, b) => a - b);
  // Of an even number the middle is between two: neither of them is far away from it.
  const [low, high] = [others[Math.ceil(others.length / 2) - 1], others[Math.floor(others.length / 2)]];
  if (own === null || low === undefined || high === undefined) return null;
  const { name, least, times, isTooLittle } = FIGURES[figure];
  const isMuch = own - high >= least && own >= times * high;
  const isLittle = isTooLittle === true && low - own >= least && times * own <= low;
  if (!isMuch && !isLittle) return null;
  const usual = isMuch ? high : low;
  const text = usual === 0 ? name : `${name} ${(own / usual).toFixed(1)} times that of the others`;
  return { worker, isLittle, text: own === 0 ? `no ${name}` : text };
}
