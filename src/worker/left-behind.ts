/**
 * What the application has started does not outlive it where the supervisor dies: nobody is left then to end it. A worker leads
 * a process group; in every other case the supervisor ends what is in it.
 */
import cluster from 'node:cluster';

/** The worker itself ends without the supervisor, as under node:cluster. */
export function takeChildrenAlong(): void {
  const { worker } = cluster;
  worker?.once('disconnect', () => {
    if (worker.exitedAfterDisconnect) return;
    // It is one of the group, and about to end in its own way.
    process.on('SIGTERM', () => {});
    try {
      process.kill(-process.pid, 'SIGTERM');
    } catch {
      // It leads no group.
    }
  });
}
