/** Who has time for what waits elsewhere: found out once for all that a look has found, if anybody asks. */
import type { CustodySocket } from '../../../sockets/custody/custody.js';

export interface Helper {
  readonly socket: CustodySocket;
  readonly slot: number;
  /** It has time; the others can only do better than nobody. */
  readonly idle: boolean;
  /** Of its queue, smoothed. */
  readonly length: number;
  readonly connections: number;
}

export class Helpers {
  readonly #make: () => readonly Helper[];
  #all: readonly Helper[] | undefined;

  constructor(make: () => readonly Helper[]) {
    this.#make = make;
  }

  /** Slots of the same address, the idlest first. @param anybody those that are busy as well */
  of({ key, slot: own }: CustodySocket, anybody: boolean): number[] {
    this.#all ??= this.#make();
    return this.#all.flatMap(({ socket, slot, idle }) =>
      socket.key === key && slot !== own && (idle || anybody) ? slot : [],
    );
  }
}
