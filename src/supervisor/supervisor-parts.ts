/** What a supervisor consists of, for those of its parts that look at the whole of it. */
import type { Custody } from '../sockets/custody/custody.js';
import type { SharedSockets } from '../sockets/custody/shared.js';
import type { Releases } from './deployments/releases.js';
import type { Loop } from './loop.js';
import type { SupervisorOptions } from './supervisor-options.js';
import type { Workforce } from './workers/workforce.js';

export interface SupervisorParts {
  readonly options: SupervisorOptions;
  readonly loop: Loop;
  readonly releases: Releases;
  readonly custody: Custody;
  readonly shared: SharedSockets;
  readonly workforce: Workforce;
  /** In milliseconds, by `performance.now()`; below 0 where programs before this one had its place. */
  readonly startedAt: number;
}
