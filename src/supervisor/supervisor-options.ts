/** What a supervisor is made of, and what it tells once it has started. */
import type { LoadedConfig } from '../config/load.js';
import type { State } from '../core/state/types.js';
import type { Log } from '../logs/logger.js';
import type { NativeLoad } from '../native/libc.js';
import type { SteeringChoice } from '../platform/mode.js';
import type { ListenMode } from '../protocol/status.js';
import type { Custody, CustodyOptions } from '../sockets/custody/custody.js';
import type { SharedOptions, SharedSockets } from '../sockets/custody/shared.js';
import type { Release } from './deployments/release.js';
import type { Hooks } from './hooks/hooks.js';
import type { Takeover } from './takeover/takeover.js';
import type { PassedOn } from './upgrade/passed-state.js';
import type { UpgraderOptions } from './upgrade/upgrader.js';
import type { FirstWorker } from './workers/process/first-worker.js';

export interface SupervisorOptions {
  readonly release: Release;
  readonly reloadConfig: () => Promise<LoadedConfig>;
  readonly log: Log;
  readonly version: string;
  readonly listenMode: ListenMode;
  readonly listenModeReason: string;
  readonly steering: SteeringChoice;
  readonly native: NativeLoad;
  /** Only this user may enter it. */
  readonly runtimeDir: string;
  /** Where workers look for the next supervisor; null where they end with this one. */
  readonly attachAt?: string | null;
  /** Whom it takes over. */
  readonly takeover?: Takeover | null;
  readonly upgrade: UpgraderOptions;
  /** Why it cannot leave its workers to another supervisor; null where it can. */
  readonly leaveLack?: string | null;
  /** What else listens, for the program that takes the place of this one. */
  /** Whether somebody waits for an answer there. */
  readonly isAsked: () => boolean;
  readonly passable: () => Pick<PassedOn, 'control' | 'admin'>;
  /** Worker 1, where it has been forked already. */
  readonly firstWorker?: FirstWorker | null;
  /** Makes custody; it is told whom to tell when an address has to be waited for, and of sockets from before. */
  readonly openCustody: (hooks: Required<Pick<CustodyOptions, 'onWaiting' | 'onInherited'>>) => Custody;
  /** The same for what is no TCP. */
  readonly openShared: (hooks: Pick<SharedOptions, 'onInherited'>) => SharedSockets;
  /** Told of what the core reports; see `Hooks`. */
  readonly hooks?: Hooks | undefined;
  /** Told of the state whenever the core has come to rest. */
  readonly onSettled?: ((state: State) => void) | undefined;
}

/** What there is to tell when the workers are ready for the first time. */
export interface Started {
  readonly name: string;
  readonly size: number;
  /** How many of them are ready. */
  readonly ready: number;
  /** On which they listen; not what one of them has only looked at. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Why the configuration is not that of the workers that were taken over; null where it is. */
  readonly notRolledOut?: string | null;
}
