/**
 * The process of a worker that is no Node: spawned with its sockets as descriptors 3 and up, as sd_listen_fds(3) has them. It has
 * no channel: it is asked to end by SIGTERM, and tells by its exit, its output and its notify socket alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { spawning } from '../../spawn.js';
import type { Release } from '../deployments/release.js';
import type { ForkListener, WorkerProcess } from '../workers/process/fork.js';
import { killGroup } from '../workers/process/process-groups.js';
import { type WorkerIdentity, workerVariables } from '../workers/process/variables.js';

export const SHELL = '/bin/sh';
/** Only the process itself knows its PID before it is another program. The PID stays. */
const TELL_PID = 'LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@"';

export interface PassedSocket {
  readonly name: string;
  readonly fd: number;
}

export interface ProgramOptions {
  readonly identity: WorkerIdentity;
  readonly release: Release;
  readonly sockets: readonly PassedSocket[];
  /** NOTIFY_SOCKET; null where there is none. */
  readonly notifyPath: string | null;
}

export class ProgramProcess implements WorkerProcess {
  readonly process: ChildProcess;
  readonly outlives = false;
  readonly isUntold = false;
  readonly #keepChildren: boolean;

  /** @throws what `spawn` throws at once; later faults come as an error */
  constructor({ identity, release, sockets, notifyPath }: ProgramOptions) {
    const { config, script, cwd } = release;
    this.#keepChildren = config.keepChildren;
    const env = { ...process.env, ...programVariables(identity, release, { sockets, notifyPath }) };
    const command: [string, string[]] =
      sockets.length === 0 ? [script, [...config.args]] : [SHELL, ['-c', TELL_PID, script, ...config.args]];
    this.process = spawning(() =>
      spawn(...command, {
        cwd,
        env,
        // A session of its own, as every worker has.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', ...sockets.map(({ fd }) => fd)],
      }),
    );
  }

  get stdout(): Readable | null {
    return this.process.stdout;
  }

  get stderr(): Readable | null {
    return this.process.stderr;
  }

  listen(listener: ForkListener): void {
    this.process.prependOnceListener('exit', (code, signal) => listener.onExit(code, signal));
    this.process.on('error', (error) => listener.onError(error));
  }

  /** It has no channel that could be closed. */
  disconnect(): void {}

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  destroy(): void {
    if (!this.#keepChildren) killGroup(this.process);
    this.signal('SIGKILL');
  }
}

/** As every worker's, and those of sd_listen_fds(3) and sd_notify(3); LISTEN_PID is still to come. */
export function programVariables(
  identity: WorkerIdentity,
  { config }: Pick<Release, 'config'>,
  { sockets, notifyPath }: Pick<ProgramOptions, 'sockets' | 'notifyPath'>,
): Record<string, string> {
  const { [config.instanceVar]: instance = '', ...own } = workerVariables(identity, config);
  return {
    [config.instanceVar]: instance,
    ...config.env,
    ...own,
    ...(sockets.length > 0 && {
      LISTEN_FDS: String(sockets.length),
      LISTEN_FDNAMES: sockets.map(({ name }) => name).join(':'),
    }),
    ...(notifyPath !== null && { NOTIFY_SOCKET: notifyPath }),
  };
}
