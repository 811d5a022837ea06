/**
 * `cluster.worker.disconnect()`: under node:cluster the worker closes its servers and goes when its connections have. Here the
 * supervisor is told; the worker serves on until there is another one, and then drains.
 */
import cluster, { type Worker } from 'node:cluster';
import type { Server } from 'node:net';

interface Disconnecting {
  disconnect(this: Worker & { exitedAfterDisconnect: boolean }): Worker;
}

export class Resignation {
  #given = false;

  /** Whether the application has called it. */
  get isGiven(): boolean {
    return this.#given;
  }

  /** @throws where this Node has no such method */
  install(tell: () => void): void {
    const { prototype } = (cluster as unknown as { readonly Worker: { readonly prototype: Disconnecting } }).Worker;
    if (typeof prototype.disconnect !== 'function')
      throw new Error('this version of Node is not known: Worker.disconnect is missing');
    const give = () => this.#give(tell);
    prototype.disconnect = function disconnect() {
      this.exitedAfterDisconnect = true;
      give();
      return this;
    };
  }

  /** As under node:cluster: its servers have said that they are closed, the channel is next, and the end of the process. */
  leave(servers: readonly Server[]): void {
    for (const server of servers) if (server.listening) server.close();
    // They say so at the end of this turn.
    setImmediate(() => setImmediate(() => (process.connected ? process.disconnect() : process.exit(0))));
  }

  #give(tell: () => void): void {
    if (!this.#given) {
      this.#given = true;
      // From now on node:cluster leaves it to the worker when it ends, but a supervisor that has died asks nobody to drain.
      process.once('disconnect', () => process.exit(0));
    }
    tell();
  }
}
