/** How many connections each worker has open, as the workers say: asked often enough to steer by, and no more often. */
import type { State } from '../../../core/state/types.js';
import type { Stats } from '../../workers/questions/stats.js';

/** How often workers are asked how many connections they have, while new ones come. */
const COUNT_MS = 500;
/** The same while the numbers change a lot: in a reload all connections of a worker go elsewhere at once. */
const COUNT_MOVING_MS = 100;
const MOVING = 8;
/** Of those that came meanwhile: where fewer have stayed, the number goes up and down by chance, however often it is asked for. */
const STAYING = 1 / 16;
/** A number that is chance counts for so much, beside those before it. */
const LEAST_TELLING = 1 / 4;
/** Where no more have come, little is chance, and what was before may be long ago: nobody is asked while none come. */
const FEW = 16;
/** As many workers are asked that often. */
const OFTEN_WORKERS = 4;

/** What a worker has told last. */
interface Told {
  readonly accepted: number;
  readonly connections: number;
  /** The same, smoothed. */
  readonly open: number;
}

export class OpenConnections {
  readonly #question: (worker: number) => void;
  /** By worker. */
  readonly #open = new Map<number, Told>();
  /** Workers that owe an answer: one question at a time, or those for a worker that hangs would pile up. */
  readonly #asked = new Set<number>();
  #countAt = 0;
  /** Whether somebody's number has changed a lot since the last count but one. */
  #moving = false;

  /** @param question asks a worker for its figures; the answer comes by `told`, if it does */
  constructor(question: (worker: number) => void) {
    this.#question = question;
  }

  /** Forgets who is gone. */
  review(state: State): void {
    const alive = new Set(state.workers.map(({ id }) => id));
    for (const id of this.#open.keys()) if (!alive.has(id)) this.#open.delete(id);
    for (const id of this.#asked) if (!alive.has(id)) this.#asked.delete(id);
  }

  /** @returns whether it is another number than before */
  told(worker: number, { connections, accepted }: Pick<Stats, 'connections' | 'accepted'>): boolean {
    this.#asked.delete(worker);
    const before = this.#open.get(worker);
    const came = Math.max(0, accepted - (before?.accepted ?? accepted));
    const change = Math.abs(connections - (before?.connections ?? 0));
    this.#moving ||= change >= MOVING && change >= came * STAYING;
    const open = before === undefined ? connections : smoothed(before, connections, came);
    this.#open.set(worker, { accepted, connections, open });
    return open !== before?.open;
  }

  /** Connections come: all are asked, if it is time. */
  count(state: State, now: number): void {
    if (now < this.#countAt) return;
    // Each question costs a worker a turn: many workers are asked less often.
    const often = Math.max(1, state.workers.length / OFTEN_WORKERS);
    this.#countAt = now + (this.#moving ? COUNT_MOVING_MS : COUNT_MS) * often;
    this.#moving = false;
    for (const worker of state.workers) if (worker.state === 'ready') this.ask(worker.id);
  }

  ask(worker: number): void {
    if (this.#asked.has(worker)) return;
    this.#asked.add(worker);
    this.#question(worker);
  }

  /** Of the workers of a slot; null where none has said it. */
  openIn(state: State, slot: number): number | null {
    let sum: number | null = null;
    for (const worker of state.workers) {
      const count = worker.slot === slot ? this.#open.get(worker.id)?.open : undefined;
      // Those of a worker that drains will be gone soon.
      if (count !== undefined && worker.state === 'ready') sum = (sum ?? 0) + count;
    }
    return sum;
  }
}

/**
 * Where more have come than are open, most of them have closed as well: how many are open at one moment tells little. Where more
 * have left than came, some of those that stayed are gone.
 */
function smoothed(before: Told, connections: number, came: number): number {
  if (came <= Math.max(FEW, connections) || before.connections - connections > came) return connections;
  return before.open + (connections - before.open) * Math.max(LEAST_TELLING, connections / came);
}
