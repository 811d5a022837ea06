/**
 * node:http without its lazy exports. An `import` of it evaluates them all, and with them 14 MB of a WebSocket client,
 * in a process that is to be small.
 */
import type http from 'node:http';
import { createRequire } from 'node:module';
import type { ListenOptions } from 'node:net';

export const { createServer } = createRequire(import.meta.url)('node:http') as typeof http;

/** How long a close waits for clients to read what was written for them. */
const CLOSE_PATIENCE_MS = 1_000;

/** Rejects with the system's error. Whatever goes wrong with the server afterwards is its clients' loss. */
export function listen(server: http.Server, where: ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Not through node:cluster, and so never shared with a worker.
    server.listen({ ...where, exclusive: true }, () => {
      server.removeListener('error', reject);
      // A connection that could not be accepted: no file descriptor was left.
      server.on('error', () => {});
      resolve();
    });
  });
}

/** Listens no longer, and ends what is still open. @param endStreams ends the answers that would go on for ever */
export async function close(server: http.Server, endStreams: () => void = () => {}): Promise<void> {
  const gone = new Promise((resolve) => server.close(resolve));
  // Answers that were given just now reach their streams first.
  await new Promise((resolve) => setImmediate(resolve));
  endStreams();
  const force = setTimeout(() => server.closeAllConnections(), CLOSE_PATIENCE_MS);
  await gone;
  clearTimeout(force);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
