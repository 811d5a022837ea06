/**
 * The supervisor's view of one worker: its process, its end of the channel, its output. Knows nothing of policy.
 */
import { ChildProcess, type SpawnOptions } from 'node:child_process';
import cluster, { type Address, type Worker as ClusterWorker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Log } from '../logs/logger.js';
import { captureOutput, type WorkerOutput } from '../logs/worker-output.js';
import type { IpcCommand, SupervisorMessage, WorkerMessage } from '../protocol.js';
import type { TcpHandle } from '../sockets/handle.js';
import { Debugged } from './debugged.js';
import { fingerprintOf, type Release } from './release.js';

const CMD: IpcCommand = 'NODE_HOLDFAST';
const PRELOAD = fileURLToPath(new URL('../worker/preload.js', import.meta.url));

/** How long the last output of a worker that has ended is waited for; a grandchild may hold the pipe open. */
const LAST_OUTPUT_MS = 250;
/** An exit follows its closed channel at once; a worker that is still there after this has closed it by itself. */
const DISCONNECT_GRACE_MS = 500;

type WithoutCommand<T> = T extends unknown ? Omit<T, 'cmd'> : never;

export interface WorkerIdentity {
  readonly worker: number;
  readonly slot: number;
  readonly generation: number;
  readonly name: string;
}

export interface WorkerListener {
  onMessage(message: WorkerMessage): void;
  onSaidReady(): void;
  /** A server of a worker that node:cluster alone looks after listens. */
  onListening(address: { readonly host: string | null; readonly port: number; readonly family: 4 | 6 }): void;
  onDisconnected(): void;
  /** The process has ended; `onExited` follows with what it wrote last. */
  onEnded(): void;
  onExited(code: number | null, signal: string | null, lastLines: readonly string[]): void;
}

export class WorkerHandle {
  readonly identity: WorkerIdentity;
  readonly release: Release;
  /** The entry file was not the one that its generation began with when this worker was started. */
  readonly scriptChanged: boolean;
  /** What its Node does not let holdfast do. */
  missing: readonly string[] = [];
  /** Its servers are node:cluster's own: they are closed by node:cluster as well. */
  plain = false;
  /** Sockets that it is given now are not to be accepted on yet. */
  held = false;
  readonly debugged = new Debugged();
  readonly #cluster: ClusterWorker;
  readonly #output: WorkerOutput;
  readonly #listener: WorkerListener;
  #gone = false;

  /** @throws what `fork` throws at once, such as EAGAIN; later faults come as an exit */
  constructor(identity: WorkerIdentity, release: Release, log: Log, listener: WorkerListener) {
    this.identity = identity;
    this.release = release;
    this.scriptChanged = fingerprintOf(release.script) !== release.fingerprint;
    this.#listener = listener;
    this.#cluster = fork(identity, release);
    const child = this.#cluster.process;
    // node:cluster passes errors of the process and its channel on: a worker that dies while it is written to is no news.
    this.#cluster.on('error', () => {});
    // Where no descriptor is left, the process never comes to be and has no streams at all: its fault comes as an event.
    if (!child.stdout || !child.stderr) throw new Error('the system has no file descriptor left for its output');
    this.#output = captureOutput({ stdout: child.stdout, stderr: child.stderr, ...identity, log });
    this.#output.onErrorLine((line) => this.debugged.heard(line));

    this.#cluster.on('listening', ({ address, port, addressType }: Address) => {
      if (!this.plain || (addressType !== 4 && addressType !== 6)) return;
      listener.onListening({ host: address || null, port, family: addressType });
    });
    child.on('internalMessage', (message: unknown) => {
      if (isOurs(message)) listener.onMessage(message);
    });
    child.on('message', (message) => {
      if (message === 'ready') listener.onSaidReady();
    });
    child.once('disconnect', () => {
      setTimeout(() => {
        if (!this.#gone) listener.onDisconnected();
      }, DISCONNECT_GRACE_MS).unref();
    });
    child.once('exit', (code, signal) => this.#exited(code, signal, []));
    child.on('error', (error) => {
      // Only a process that never came to be ends without an exit.
      if (child.pid === undefined) this.#exited(null, null, [error.message]);
    });
  }

  get pid(): number | undefined {
    return this.#cluster.process.pid;
  }

  /** Whether it can still be told anything. */
  get connected(): boolean {
    return this.#cluster.process.connected;
  }

  /** Resolves once the message is written or has failed, never rejects; the handle must stay open until then. */
  send(message: WithoutCommand<SupervisorMessage>, handle?: TcpHandle): Promise<void> {
    const child = this.#cluster.process;
    if (!child.connected) return Promise.resolve();
    return new Promise((resolve) => {
      try {
        // The raw handle, not a net.Server: a server would accept in the supervisor.
        child.send({ cmd: CMD, ...message }, handle as never, () => resolve());
      } catch {
        // A channel that takes nothing any more is about to close, which is told by itself.
        resolve();
      }
    });
  }

  /** node:cluster closes its servers, and ends it when its connections have. */
  disconnect(): void {
    if (this.connected) this.#cluster.disconnect();
  }

  /** @returns takes the listener back */
  onErrorLine(listener: (line: string) => void): () => void {
    return this.#output.onErrorLine(listener);
  }

  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGUSR1'): void {
    // By the child object, not by PID: it knows whether the process has been reaped, a number may be somebody else's.
    if (!this.#gone) this.#cluster.process.kill(signal);
  }

  #exited(code: number | null, signal: string | null, lines: readonly string[]): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#listener.onEnded();
    const timeout = setTimeout(tell, LAST_OUTPUT_MS);
    const output = this.#output;
    const listener = this.#listener;
    let told = false;
    void output.ended.then(tell);
    function tell() {
      if (told) return;
      told = true;
      clearTimeout(timeout);
      const lastLines = [...output.tail(), ...lines];
      output.close();
      listener.onExited(code, signal, lastLines);
    }
  }
}

function fork(identity: WorkerIdentity, { config, script, cwd }: Release): ClusterWorker {
  cluster.setupPrimary({
    exec: script,
    args: [...config.args],
    // First, so that it lies below whatever the owner's own preloads patch.
    execArgv: ['--require', PRELOAD, ...config.nodeArgs],
    cwd,
    silent: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  return inOwnSession(() =>
    cluster.fork({
      ...config.env,
      HOLDFAST_NAME: identity.name,
      HOLDFAST_SLOT: String(identity.slot),
      HOLDFAST_GENERATION: String(identity.generation),
      NODE_APP_INSTANCE: String(identity.slot),
      HOLDFAST_WORKER: String(identity.worker),
    }),
  );
}

/**
 * Workers get a session of their own, so that Ctrl-C in the terminal reaches the supervisor alone. node:cluster does not
 * pass `detached` on, hence the detour by the one method that every fork goes through; restored before anything else
 * can run.
 */
function inOwnSession(start: () => ClusterWorker): ClusterWorker {
  const prototype = ChildProcess.prototype as unknown as { spawn(options: SpawnOptions): number };
  const { spawn } = prototype;
  prototype.spawn = function detached(options) {
    return spawn.call(this, { ...options, detached: true });
  };
  try {
    return start();
  } finally {
    prototype.spawn = spawn;
  }
}

function isOurs(message: unknown): message is WorkerMessage {
  return typeof message === 'object' && message !== null && (message as { cmd?: unknown }).cmd === CMD;
}
