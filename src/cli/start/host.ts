/**
 * The program that has started this supervisor, with `holdfast/supervisor`, over a channel of node:child_process. It is told
 * when the workers are ready; when it is gone the supervisor stops, unless it is to outlive it.
 */
import type { Started } from '../../supervisor/supervisor-options.js';

export interface Host {
  readonly tell: (started: Started) => void;
  /** Resolves when the supervisor is to stop for want of it. */
  readonly gone: Promise<void>;
}

/** @param env this process's own: what is meant for it alone is taken out. @returns null where there is none */
export function openHost(env: NodeJS.ProcessEnv): Host | null {
  const bond = env.HOLDFAST_BOND;
  delete env.HOLDFAST_BOND;
  if (bond === undefined || process.send === undefined) return null;
  const gone = new Promise<void>((resolve) => {
    if (bond === 'outlived') return;
    if (!process.connected) resolve();
    process.once('disconnect', () => resolve());
  });
  const tell = ({ name, size, ready, addresses }: Started) => {
    const shown = addresses.map(({ host, port }) => ({ host, port }));
    // One for each slot of them.
    const different = shown.filter(
      ({ host, port }, at) => shown.findIndex((other) => other.host === host && other.port === port) === at,
    );
    // Where it has gone meanwhile there is nobody to tell.
    process.send?.({ type: 'started', name, size, ready, addresses: different }, undefined, {}, () => {});
  };
  return { tell, gone };
}
