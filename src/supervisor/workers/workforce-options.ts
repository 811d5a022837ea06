/** What the workforce is made of. */
import type { AnyEvent } from '../../core/supervision.js';
import type { Log } from '../../logs/logger.js';
import type { NativeLoad } from '../../native/libc.js';
import type { Custody } from '../../sockets/custody/custody.js';
import type { SharedSockets } from '../../sockets/custody/shared.js';
import type { Observing } from '../observe/observing.js';
import type { Takeover } from '../takeover/takeover.js';
import type { OpenStreamPair } from './links.js';
import type { Listening } from './listening/listening.js';
import type { FirstWorker } from './process/first-worker.js';
import type { Examinations } from './questions/examinations.js';

export interface WorkforceOptions {
  readonly name: string;
  readonly log: Log;
  readonly custody: Custody;
  readonly shared: SharedSockets;
  readonly listening: Listening;
  /** Makes a channel between two workers. */
  readonly openStreamPair: OpenStreamPair;
  readonly dispatch: (event: AnyEvent) => void;
  /** Whether all are to have gone before the next one is started. */
  readonly isRestarting: () => boolean;
  readonly examinations: Examinations;
  readonly native: NativeLoad;
  readonly runtimeDir: string;
  readonly observing: Observing;
  /** Where workers look for the next supervisor; null where they end with this one. */
  readonly attachAt?: string | null;
  /** Whom this supervisor takes over. */
  readonly takeover?: Takeover | null | undefined;
  /** One that has been forked already. */
  readonly firstWorker?: FirstWorker | null | undefined;
}
