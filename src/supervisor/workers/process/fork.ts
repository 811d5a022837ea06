/**
 * The process of one worker, and the supervisor's end of its channel. What it does before anybody listens is kept, so that
 * it can be started before there is somebody. Imports nothing that takes time to load.
 */
import type { ChildProcess } from 'node:child_process';
import cluster, { type Address, type Worker as ClusterWorker } from 'node:cluster';
import type { Readable } from 'node:stream';
import { programFile } from '../../../platform/own-program.js';
import { spawning } from '../../../spawn.js';
import type { Release } from '../../deployments/release.js';
import { type ChannelListener, WorkerChannel } from '../channel/channel.js';
import { killGroup } from './process-groups.js';
import { type WorkerIdentity, workerVariables } from './variables.js';

export type { WorkerIdentity } from './variables.js';

/** What comes over the channel, and what `child_process` tells. */
export interface ForkListener extends ChannelListener {
  /** A server that node:cluster looks after listens. */
  onListening(address: Address): void;
  onDisconnect(): void;
  onExit(code: number | null, signal: string | null): void;
  onError(error: Error): void;
}

/** What a worker handle needs of the process behind it. */
export interface WorkerProcess {
  readonly process: ChildProcess;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** It can outlive this process once it has what it prints to. */
  readonly outlives: boolean;
  /** Another supervisor has started it, and nobody can tell how it has ended. */
  readonly isUntold: boolean;
  listen(listener: ForkListener): void;
  disconnect(): void;
  signal(signal: NodeJS.Signals): void;
  destroy(): void;
}

/** Of output: it waits for who reads it. */
const kept = (): void => {};

type News = (listener: ForkListener) => void;

/** A worker that was started by a supervisor before this one. */
export interface Attached {
  readonly worker: ClusterWorker;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** What it listens on. */
  readonly addresses: readonly string[];
  /** Once it has ended: whether it is known how. */
  readonly isTold: () => boolean;
}

export interface ForkOptions {
  /** Unix sockets whose names it must leave alone. */
  readonly keptPaths: readonly string[];
  /** Where it looks for the next supervisor when this one has died; null where it ends with it. */
  readonly attachAt: string | null;
  /** It is there already. */
  readonly attached: Attached;
}

export class Fork implements WorkerProcess {
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly outlives: boolean;
  readonly #attached: Attached | undefined;
  readonly #cluster: ClusterWorker;
  readonly #keepChildren: boolean;
  #listener: ForkListener | null = null;
  /** In the order in which they came; null once they are passed on at once. */
  #kept: News[] | null = [];

  /** @throws what `fork` throws at once, such as EAGAIN; later faults come as an error or an exit */
  constructor(identity: WorkerIdentity, release: Release, given: Partial<ForkOptions> = {}) {
    this.#cluster = given.attached?.worker ?? fork(identity, release, given);
    this.#keepChildren = release.config.keepChildren;
    const child = this.process;
    this.stdout = given.attached?.stdout ?? child.stdout;
    this.stderr = given.attached?.stderr ?? child.stderr;
    this.outlives = given.attached === undefined && (given.attachAt ?? null) !== null;
    this.#attached = given.attached;
    const { addresses = [] } = given.attached ?? {};
    // node:cluster passes errors of the process and its channel on: a worker that dies while it is written to is no news.
    this.#cluster.on('error', () => {});
    new WorkerChannel(child, {
      onMessage: (message) => this.#tell((listener) => listener.onMessage(message)),
      onSaidReady: () => this.#tell((listener) => listener.onSaidReady()),
      onMisconduct: (reason, error) => this.#tell((listener) => listener.onMisconduct(reason, error)),
      onSlowed: () => this.#tell((listener) => listener.onSlowed()),
      onDescriptorRefused: (fd) => this.#tell((listener) => listener.onDescriptorRefused(fd)),
    }).knows(addresses);
    this.#cluster.on('listening', (address) => this.#tell((listener) => listener.onListening(address)));
    // The first of the listeners: one of Node's may throw.
    child.prependOnceListener('disconnect', () => this.#tell((listener) => listener.onDisconnect()));
    child.prependOnceListener('exit', (code, signal) =>
      this.#tell((listener) => (this.isUntold ? listener.onExit(null, null) : listener.onExit(code, signal))),
    );
    child.on('error', (error) => this.#tell((listener) => listener.onError(error)));
    // Node throws away what nobody has asked for when the process ends.
    for (const output of [this.stdout, this.stderr]) output?.on('readable', kept);
  }

  get process(): ChildProcess {
    return this.#cluster.process;
  }

  get isUntold(): boolean {
    return this.#attached !== undefined && !this.#attached.isTold();
  }

  /** Has it told what was kept and what comes, never before it returns. Whoever wants the output listens to it by then. */
  listen(listener: ForkListener): void {
    this.#listener = listener;
    for (const output of [this.stdout, this.stderr]) output?.removeListener('readable', kept);
    queueMicrotask(() => {
      // What comes from what is told now waits its turn.
      for (const news of this.#kept ?? []) news(listener);
      this.#kept = null;
    });
  }

  /** node:cluster closes its servers, and ends it when its connections have. */
  disconnect(): void {
    this.#cluster.disconnect();
  }

  signal(signal: NodeJS.Signals): void {
    // By the child object, not by PID: it knows whether the process has been reaped, a number may be somebody else's.
    this.process.kill(signal);
  }

  /** Kills it, and what it has started unless that is to be kept. */
  destroy(): void {
    if (!this.#keepChildren) killGroup(this.process);
    this.signal('SIGKILL');
  }

  #tell(news: News): void {
    if (this.#kept !== null) this.#kept.push(news);
    else if (this.#listener !== null) news(this.#listener);
  }
}

function fork(
  identity: WorkerIdentity,
  { config, script, cwd }: Release,
  { keptPaths = [], attachAt = null }: Partial<ForkOptions>,
): ClusterWorker {
  cluster.setupPrimary({
    exec: script,
    args: [...config.args],
    // First, so that it lies below whatever the owner's own preloads patch.
    execArgv: ['--require', programFile('dist/worker/preload.js', cwd), ...config.nodeArgs],
    cwd,
    silent: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const { [config.instanceVar]: instance, ...own } = workerVariables(identity, config);
  return detached(hidden(config), () =>
    cluster.fork({
      [config.instanceVar]: instance,
      ...config.env,
      ...own,
      HOLDFAST_WORKER: String(identity.worker),
      // Always: one of this process's own environment means nothing.
      HOLDFAST_CHILDREN: config.keepChildren ? 'kept' : 'ended',
      HOLDFAST_MEASURE: config.admin === null ? 'off' : 'on',
      ...(keptPaths.length > 0 && { HOLDFAST_PATHS: JSON.stringify(keptPaths) }),
      HOLDFAST_ATTACH: attachAt === null ? '' : outliveTerms(attachAt, config),
    }),
  );
}

/** What a worker needs to know that may outlive this process (`src/worker/outlive/outlive.ts`). */
function outliveTerms(path: string, config: Release['config']): string {
  const { orphanTimeoutMs, drainTimeoutMs, spreadMs, killTimeoutMs, shutdownMessage: sayShutdown } = config;
  const takesChildren = !config.keepChildren;
  return JSON.stringify({ path, orphanTimeoutMs, drainTimeoutMs, spreadMs, killTimeoutMs, sayShutdown, takesChildren });
}

/**
 * Options of node before all others. Whoever asks an inspector on loopback for its targets is told how to attach, any user of
 * the machine: with this one only who reads the worker's standard error knows. Not where the owner wants to be found.
 */
function hidden({ nodeArgs, env }: Release['config']): string[] {
  const words = [...nodeArgs, env.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''];
  return words.some((word) => word.includes('--inspect')) ? [] : ['--inspect-publish-uid=stderr'];
}

/**
 * Workers get a session of their own, so that Ctrl-C in the terminal reaches the supervisor alone, and what they start can be
 * ended with them (process-groups.ts). node:cluster does not pass `detached` on, and takes any option of the inspector for
 * debugging.
 */
function detached(options: readonly string[], start: () => ClusterWorker): ClusterWorker {
  return spawning(start, (given) => {
    const [program = process.execPath, ...args] = given.args ?? [];
    return { ...given, args: [program, ...options, ...args], detached: true };
  });
}
