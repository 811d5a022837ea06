/**
 * Where orphans come: a unix socket in the runtime folder, which only this user may enter. Who connects is found out from the
 * kernel and from proc(5), not from what it says.
 */
import { chmod, rename, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import type { NativeLoad } from '../../../native/libc.js';
import { type FoundOrphan, orphanAt, signalProcess } from '../orphans/orphans.js';
import { type AttachedProcess, attachProcess } from './attached-process.js';
import { type Attach, type Introduced, listenToIntroduction } from './introduction.js';

/** Who can come at a time, and be refused: all workers at once, and more. */
const BACKLOG = 1_024;

export interface Arrival extends Introduced {
  readonly orphan: FoundOrphan;
  readonly process: AttachedProcess;
}

export interface AttachServerOptions {
  readonly path: string;
  readonly native: NativeLoad;
  readonly onArrival: (arrival: Arrival) => void;
  /** @param who as far as it is known */
  readonly onRefused: (reason: string, who: { readonly pid: number | null; readonly uid: number | null }) => void;
}

/** As the kernel knows who has connected; null where it cannot be asked. */
export type Peer = { readonly pid: number; readonly uid: number } | null;

/**
 * Whether it is who it says. Pure.
 *
 * @param found what proc(5) shows of the process that it says it is; null where that is none of our workers
 * @param ownUid of this process
 * @returns why not; null where it is
 */
export function judgePeer(attach: Attach, peer: Peer, found: FoundOrphan | null, ownUid: number): string | null {
  if (peer !== null && peer.uid !== ownUid && peer.uid !== 0) return `it belongs to another user (${peer.uid})`;
  if (peer !== null && peer.pid !== attach.pid) return `it says that it is process ${attach.pid}, and is ${peer.pid}`;
  if (found === null) return `process ${attach.pid} is not a worker of this supervisor`;
  const isSame = found.worker === attach.worker && found.slot === attach.slot && found.generation === attach.generation;
  return isSame ? null : `it says that it is worker ${attach.worker}, and was started as worker ${found.worker}`;
}

export class AttachServer {
  readonly #options: AttachServerOptions;
  readonly #server: net.Server;

  private constructor(options: AttachServerOptions) {
    this.#options = options;
    this.#server = net.createServer({ pauseOnConnect: true }, (connection) => this.#welcome(connection));
  }

  /**
   * Listens beside the path and moves the socket there: who connects meanwhile is not refused for good.
   *
   * @throws the system's error
   */
  static async open(options: AttachServerOptions): Promise<AttachServer> {
    const own = new AttachServer(options);
    const beside = path.join(path.dirname(options.path), `.attach-${Math.random().toString(16).slice(2, 10)}`);
    await new Promise<void>((resolve, reject) => {
      own.#server.once('error', reject);
      own.#server.listen({ path: beside, backlog: BACKLOG }, resolve);
    });
    try {
      // The sticky bit keeps what cleaners of temporary folders take for old: it is not where it was bound.
      await chmod(beside, 0o1600);
      await rename(beside, options.path);
    } catch (error) {
      own.#server.close();
      throw error;
    }
    // It serves workers, and keeps no supervisor up.
    own.#server.unref();
    return own;
  }

  /** Nobody is to come any more. @param stays what shows that workers wait. @throws the system's error */
  async close(stays = false): Promise<void> {
    this.#server.close();
    if (!stays) await rm(this.#options.path, { force: true });
  }

  #welcome(connection: net.Socket): void {
    const { path: attachAt, onRefused, onArrival } = this.#options;
    connection.on('error', () => {});
    const { fd } = (connection as net.Socket & { _handle: { readonly fd: number } })._handle;
    let peer: Peer = null;
    let orphan: FoundOrphan | null = null;
    const refused = (reason: string) => onRefused(reason, { pid: peer?.pid ?? null, uid: peer?.uid ?? null });
    try {
      peer = this.#peerOf(fd);
      const known = peer;
      const process = attachProcess(connection, {
        pid: peer?.pid ?? 0,
        signal: (name) => orphan !== null && signalProcess(orphan, name),
      });
      const { process: child } = process.cluster;
      listenToIntroduction({
        child,
        judge: (attach) => {
          orphan = orphanAt(attach.pid, attachAt);
          return judgePeer(attach, known, orphan, ownUid());
        },
        onIntroduced: (introduced) => {
          if (orphan === null) return;
          (child as { pid?: number }).pid = orphan.pid;
          onArrival({ ...introduced, orphan, process });
        },
        onRefused: (reason) => {
          if (child.connected) child.disconnect();
          process.ended();
          refused(reason);
        },
      });
    } catch (error) {
      connection.destroy();
      refused(error instanceof Error ? error.message : String(error));
    }
  }

  #peerOf(fd: number): Peer {
    const { native } = this.#options;
    const peers = native.ok ? native.native.peers() : null;
    return peers?.peerOf(fd) ?? null;
  }
}

function ownUid(): number {
  return process.getuid?.() ?? 0;
}
