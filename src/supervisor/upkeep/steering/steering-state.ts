/** Whether steering is all that it is said to be, and why not: a pure function of what is known. */
import { refusals } from '../../../core/adoption/loans.js';
import type { SocketTable } from '../../../core/adoption/types.js';
import { seats } from '../../../core/state/standing.js';
import type { State } from '../../../core/state/types.js';
import type { SteeringChoice } from '../../../platform/mode.js';

/** What a worker calls it when it lacks one of these (`src/worker/preload.ts`), and what that means. */
const LACKS: Readonly<Record<string, string>> = {
  'sockets in custody': 'does not listen on the sockets of its slot',
  adoption: 'cannot accept what waits in the queue of another',
};

export interface SteeringState extends SteeringChoice {
  /** Whether the kernel goes by the weights, so that shares of connections are what they are said to be. */
  readonly exact: boolean;
}

export interface SteeringSource {
  /** What was chosen at the start. */
  readonly choice: SteeringChoice;
  /** Why the kernel goes by its hash for the time being; null while it does not. */
  readonly failure: string | null;
  readonly state: State;
  readonly sockets: SocketTable;
  /** What this Node does not let a worker do, in its own words. */
  readonly missing: (worker: number) => readonly string[];
}

export function steeringState({ choice, failure, state, sockets, missing }: SteeringSource): SteeringState {
  if (!choice.steered) return { ...choice, exact: false };
  if (failure !== null) return { steered: false, reason: failure, exact: false };
  // Those that go are not waited for: their successors tell.
  const workers = state.workers.filter((worker) => seats(worker) && !worker.ended).map(({ id }) => id);
  const faults = workers.flatMap((worker) => lackOf(worker, missing(worker)) ?? []);
  // It said nothing of it at its start, and could not when it was asked.
  for (const { worker, socket } of refusals(sockets)) {
    const isTold = lackOf(worker, missing(worker)) !== null;
    if (!isTold) faults.push(`worker ${worker} did not accept on the socket of slot ${socket.slot} (${socket.key})`);
  }
  const [first] = faults;
  if (first === undefined) return { ...choice, exact: true };
  const others = faults.length === 1 ? '' : `, and ${faults.length - 1} more`;
  return { steered: false, reason: `${first}${others}; the kernel goes by the weights all the same`, exact: true };
}

function lackOf(worker: number, missing: readonly string[]): string | null {
  for (const [what, meaning] of Object.entries(LACKS)) {
    const told = missing.find((lack) => lack.startsWith(what));
    if (told !== undefined) return `worker ${worker} ${meaning} (${told})`;
  }
  return null;
}
