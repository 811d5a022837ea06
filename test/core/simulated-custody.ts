/** The sockets that a simulated supervisor has: two addresses of port 80 get into each other's way. */
import type { SocketEvent, SocketTable } from '../../src/core/adoption/types.js';
import type { SocketId } from '../../src/core/state/types.js';
import type { Supervision } from '../../src/core/supervision.js';
import { check } from './adoption/invariants.js';
import type { Clock } from './clock.js';
import type { SimulatedProcess } from './process.js';

/** Who has the sockets. */
interface Owner {
  readonly supervision: Supervision;
  dispatch(event: SocketEvent): void;
}

export class SimulatedCustody {
  readonly #isShared: boolean;
  readonly #sockets = new Map<string, SocketId>();
  #isClosed = false;

  /** @param isShared all slots have one socket for each address */
  constructor(isShared: boolean) {
    this.#isShared = isShared;
  }

  get sockets(): SocketId[] {
    return [...this.#sockets.values()];
  }

  has(socket: SocketId): boolean {
    return this.#sockets.has(name(socket));
  }

  open(slot: number, key: string): SocketId | 'contested' | 'closed' {
    if (this.#isClosed) return 'closed';
    const isNarrower = key === '127.0.0.1:80' && this.sockets.some((other) => other.key === '0.0.0.0:80');
    const isInTheWay = key === '0.0.0.0:80' && this.#sockets.has('null/127.0.0.1:80');
    if (isNarrower || isInTheWay) return 'contested';
    const socket = { slot: this.#isShared ? null : slot, key };
    this.#sockets.set(name(socket), socket);
    return socket;
  }

  close(socket: SocketId, processes: Iterable<SimulatedProcess>): void {
    check(this.#sockets.delete(name(socket)), 'only what is in custody is closed', socket);
    for (const process of processes) {
      const own = socket.slot === null || socket.slot === process.slot;
      const uses = own && (process.accepts.has(socket.key) || process.opening.has(socket.key));
      check(!uses || !process.alive || process.draining, 'no socket is closed that a worker uses', socket);
      const adopted = process.alive && process.adopted.some((other) => name(other) === name(socket));
      check(!adopted, 'no socket is closed while a sibling accepts on it', socket);
    }
  }

  /** Some queue does not empty for a while, and is reported as often as the real one. */
  congest(clock: Clock, owner: Owner): void {
    const socket = clock.pick(this.sockets.filter(({ slot }) => slot !== null));
    if (socket === undefined || !owner.supervision.sockets.steered) return;
    const again = clock.between(0, 5);
    for (let i = 0; i <= again; i++) {
      clock.after(i * 20, () => {
        const slots = Array.from({ length: owner.supervision.state.size }, (_none, slot) => slot);
        const helpers = slots.filter((slot) => slot !== socket.slot && clock.happens(0.7));
        owner.dispatch({ type: 'congested', socket, helpers });
      });
    }
    clock.after(again * 20 + clock.between(20, 3_000), () => owner.dispatch({ type: 'relieved', socket }));
  }

  closeAll(): void {
    this.#isClosed = true;
    this.#sockets.clear();
  }

  /** Called when nothing happens any more. @param size of the supervisor, in slots */
  checkRest(table: SocketTable, size: number, processes: readonly SimulatedProcess[]): void {
    const known = table.sockets.map(name).sort();
    check(known.join() === [...this.#sockets.keys()].sort().join(), 'the table knows custody', known);
    for (const socket of this.sockets) {
      const isRetired = table.steered && socket.slot !== null && socket.slot >= size;
      check(!isRetired, 'what has retired is closed', socket);
      const accepted = processes.some(
        ({ slot, accepts, adopted }) =>
          ((socket.slot === null || socket.slot === slot) && accepts.has(socket.key)) ||
          adopted.some((other) => name(other) === name(socket)),
      );
      check(accepted, 'somebody really accepts on every socket', socket);
    }
  }
}

function name({ slot, key }: SocketId): string {
  return `${slot}/${key}`;
}
