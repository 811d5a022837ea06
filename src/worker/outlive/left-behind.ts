/**
 * What the application has started does not outlive it where the supervisor dies: nobody is left then to end it. A worker leads
 * a process group; in every other case the supervisor ends what is in it.
 */
import cluster from 'node:cluster';
import type { Resignation } from '../application/resign.js';

/** The worker itself ends without the supervisor, as under node:cluster. */
export function takeChildrenAlong(resignation: Resignation): void {
  const { worker } = cluster;
  worker?.once('disconnect', () => {
    // A server of node:cluster's own that the supervisor has closed: the worker goes on until its connections have gone.
    if (worker.exitedAfterDisconnect && !resignation.isGiven) return;
    // It is one of the group, and about to end in its own way.
    process.on('SIGTERM', () => {});
    try {
      process.kill(-process.pid, 'SIGTERM');
    } catch {
      // It leads no group.
    }
  });
}
