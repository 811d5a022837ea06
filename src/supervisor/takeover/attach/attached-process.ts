/**
 * A process that this supervisor has not started, with Node's own channel to it: for node:cluster it is a worker as any other.
 * `cluster.fork` goes its usual way, but for the one call that starts a process; the pipe of the channel is opened on a
 * connection instead.
 */
import { ChildProcess } from 'node:child_process';
import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import type { Socket } from 'node:net';
import type { ExitStatus } from '../../../native/exec.js';

/** Of a socket, as far as it is used. */
interface RawPipe {
  readonly fd: number;
  open(fd: number): number | undefined;
  readStop(): number;
}

export interface AttachedProcess {
  readonly cluster: ClusterWorker;
  /** Whether it is known how it has ended. */
  readonly isTold: boolean;
  /** To be called once the process is known to have ended. @param status null where nobody can tell how */
  ended(status?: ExitStatus | null): void;
}

type Start = { stdio?: { ipc?: boolean; handle?: RawPipe }[] };
interface Spawns {
  spawn(start: Start): number;
}

/**
 * @param connection is taken over, with its descriptor; nothing may have been read from it
 * @throws where this Node does not let us
 */
export function attachProcess(
  connection: Socket,
  { pid, signal }: { readonly pid: number; readonly signal: (name: NodeJS.Signals | number) => boolean },
): AttachedProcess {
  const owner = connection as Socket & { _handle: RawPipe | null };
  const raw = owner._handle;
  if (raw === null) throw new Error('the connection has ended at once');
  // Never closed: its number is the channel's from now on, and is closed with that.
  owner._handle = null;
  let onexit = (_code: number, _signal: string): void => {};
  let gone = false;
  let isTold = false;
  const prototype = ChildProcess.prototype as unknown as Spawns;
  const { spawn } = prototype;
  prototype.spawn = function attach(this: { _handle: { onexit: typeof onexit } | null }, given) {
    onexit = this._handle?.onexit ?? onexit;
    const handle = {
      ...{ pid, onexit, raw, close: () => {}, ref: () => {}, unref: () => {}, hasRef: () => false },
      spawn() {
        const pipe = given.stdio?.find(({ ipc }) => ipc)?.handle;
        return pipe?.open(raw.fd) ?? 0;
      },
      kill: (name: number) => (signal(name) ? 0 : -3),
    };
    this._handle = handle;
    return spawn.call(this as never, given);
  };
  try {
    // What it was started with does not matter: nothing is started.
    cluster.setupPrimary({ silent: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const worker = cluster.fork();
    worker.on('error', () => {});
    return {
      cluster: worker,
      get isTold() {
        return isTold;
      },
      ended(status = null) {
        if (gone) return;
        gone = true;
        isTold = status !== null;
        onexit(status?.code ?? 0, status?.signal ?? '');
      },
    };
  } finally {
    prototype.spawn = spawn;
  }
}
