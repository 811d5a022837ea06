/** What custody is made of, and what it keeps. */
import type { MonotonicMs } from '../../monotonic.js';
import type { NativeLoad } from '../../native/libc.js';
import type { ListenMode } from '../../protocol/status.js';
import type { AddressKey } from '../../protocol/worker.js';
import type { Owner } from '../address/owner.js';
import type { BoundSocket, ReusePortHow } from '../bind/bind.js';
import type { InheritedSocket } from '../inherit.js';
import type { Keeper } from '../keeping.js';

export interface CustodySocket extends BoundSocket {
  readonly key: AddressKey;
  /** null in reuseaddr mode, where all slots share the socket. */
  readonly slot: number | null;
  /** Rises with each socket that custody binds. */
  readonly order: number;
}

export interface Waiting {
  readonly key: AddressKey;
  readonly address: string;
  readonly owner: Owner | null;
  /** When custody gives up, on the clock of `now`. */
  readonly untilMs: MonotonicMs;
}

export interface CustodyOptions {
  readonly mode: ListenMode;
  /** Must not be null in reuseport mode. */
  readonly how: ReusePortHow;
  /** Whether sockets listen from the moment they are bound, so that their order in the kernel's group is known. */
  readonly steered: boolean;
  readonly native: NativeLoad;
  /** How long an acquisition waits for an address that another process holds; 0 means not at all. */
  readonly bindTimeoutMs: number;
  /** Told once for each acquisition that has to wait. */
  readonly onWaiting: (info: Waiting) => void;
  /** Sockets from before, which are to be listened on instead of new ones; custody owns them from now on. */
  readonly inherited?: readonly InheritedSocket[];
  /** Told of each of those once it is known whose it is: connections may wait in it already. */
  readonly onInherited?: (socket: CustodySocket) => void;
  /** Keeps duplicates, so that sockets outlive this process. */
  readonly keeper?: Keeper | null;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => MonotonicMs;
  /** Resolves after `ms` or when `signal` is aborted, whichever is first; it may reject then. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}
