/** A supervisor that takes over the workers of another one. */

import type { WorkerEvent } from '../../../src/core/state/events.js';
import type { Orphan, Policy } from '../../../src/core/state/types.js';
import { Driver, PORT } from '../driver.js';

type Attached = Extract<WorkerEvent, { type: 'attached' }>;

export function orphan(worker: number, slot: number, generation = 1): Orphan {
  return { worker, slot, generation, pid: 100 + worker };
}

/** A supervisor that has found these, and has been told to start. */
export function taking(orphans: readonly Orphan[], size = 2, policy: Partial<Policy> = {}): Driver {
  const d = new Driver({ size, policy });
  d.send({ type: 'orphansFound', orphans });
  d.send({ type: 'start' });
  return d;
}

export function attach(d: Driver, found: Orphan, told: Partial<Attached> = {}): void {
  const serving = { saidReady: false, held: false, listening: [PORT], steady: [PORT], draining: false, drained: false };
  d.send({ type: 'attached', ...found, uptimeMs: 60_000, ...serving, ...told });
}
