/**
 * `cluster.worker.disconnect()`: under node:cluster the worker closes its servers and goes when its connections have. Here the
 * supervisor is told; the worker serves on until there is another one, and then drains.
 */
import cluster, { type Worker } from 'node:cluster';

interface Disconnecting {
  disconnect(this: Worker & { exitedAfterDisconnect: boolean }): Worker;
}

/** @throws where this Node has no such method */
export function takeOverDisconnect(resign: () => void): void {
  const { prototype } = (cluster as unknown as { readonly Worker: { readonly prototype: Disconnecting } }).Worker;
  if (typeof prototype.disconnect !== 'function')
    throw new Error('this version of Node is not known: Worker.disconnect is missing');
  prototype.disconnect = function disconnect() {
    this.exitedAfterDisconnect = true;
    resign();
    return this;
  };
}
