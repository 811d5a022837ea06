/**
 * Ends the workers of a supervisor that has died, without one: listens where they look for the next supervisor, and tells each that
 * none will come. They drain and end by themselves; who does not hear is ended by signals.
 */
import { chown, rename, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { removeAbandoned } from '../../../control/server/name-claim.js';
import type { SupervisorMessage } from '../../../protocol/worker.js';
import { UPGRADE_SUFFIX } from '../../upgrade/passed-state.js';
import { attachPath, type FoundOrphan, isThere, signalProcess, statePath } from './orphans.js';
import { ownOrphans } from './own-orphans.js';

/** How long one may take to come, and one that is asked by a signal to end. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 20;

export interface EndOrphansOptions {
  readonly runtimeDir: string;
  readonly name: string;
  readonly onProgress: (message: string, orphan: FoundOrphan) => void;
}

/**
 * @returns how many there were
 * @throws the system's error where it cannot listen
 */
export async function endOrphans({ runtimeDir, name, onProgress }: EndOrphansOptions): Promise<number> {
  const attachAt = attachPath(runtimeDir, name);
  const orphans = ownOrphans(runtimeDir, name);
  const message: SupervisorMessage = { cmd: 'NODE_HOLDFAST', type: 'abandon' };
  const server = net.createServer((connection) => {
    connection.on('error', () => {});
    // What it hands over is lost on who does not ask for it.
    connection.resume();
    connection.end(`${JSON.stringify(message)}\n`);
  });
  try {
    if (orphans.length > 0) await listenAt(server, attachAt);
    for (const orphan of orphans) onProgress('worker is to end', orphan);
    await Promise.all(orphans.map((orphan) => endOne(orphan, onProgress)));
    return orphans.length;
  } finally {
    server.close();
    // One that was killed in an upgrade has left what it passed on.
    const passedOn = path.join(path.resolve(runtimeDir), name + UPGRADE_SUFFIX);
    for (const file of [attachAt, statePath(runtimeDir, name), passedOn]) await rm(file, { force: true });
    await removeAbandoned(runtimeDir, name);
  }
}

async function listenAt(server: net.Server, attachAt: string): Promise<void> {
  const beside = path.join(path.dirname(attachAt), `.attach-${Math.random().toString(16).slice(2, 10)}`);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(beside, resolve);
  });
  // Root may end what a user has left, and that user's workers are to come.
  const { uid, gid } = await stat(path.dirname(attachAt));
  if (uid !== process.geteuid?.()) await chown(beside, uid, gid);
  await rename(beside, attachAt);
}

async function endOne(orphan: FoundOrphan, onProgress: EndOrphansOptions['onProgress']): Promise<void> {
  if (!(await hasEnded(orphan, PATIENCE_MS + orphan.endMs))) {
    onProgress('worker is killed', orphan);
    signalProcess(orphan, 'SIGKILL', true);
    await hasEnded(orphan, PATIENCE_MS);
  }
  onProgress(isThere(orphan) ? 'worker does not end' : 'worker exited', orphan);
}

async function hasEnded(orphan: FoundOrphan, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (isThere(orphan)) {
    if (performance.now() >= until) return false;
    await delay(LOOK_MS);
  }
  return true;
}
