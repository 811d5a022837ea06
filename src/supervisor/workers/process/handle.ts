/**
 * The supervisor's view of one worker: its process, its end of the channel, its output. Knows nothing of policy.
 */
import type { Readable } from 'node:stream';
import type { Log } from '../../../logs/logger.js';
import { captureOutput, type WorkerOutput } from '../../../logs/worker-output.js';
import type { IpcCommand, SupervisorMessage, WorkerMessage } from '../../../protocol/worker.js';
import type { TcpHandle } from '../../../sockets/handles/handle.js';
import { fingerprintOf, type Release } from '../../deployments/release.js';
import { Debugged } from './debugged.js';
import type { WorkerIdentity, WorkerProcess } from './fork.js';

const CMD: IpcCommand = 'NODE_HOLDFAST';
const INSPECTOR_ID = /(Debugger (?:listening|ending) on ws:\/\/[^/]+\/).*/;

/** How long the last output of a worker that has ended is waited for; a grandchild may hold the pipe open. */
const LAST_OUTPUT_MS = 250;
/** An exit follows its closed channel at once; a worker that is still there after this has closed it by itself. */
const DISCONNECT_GRACE_MS = 500;

type WithoutCommand<T> = T extends unknown ? Omit<T, 'cmd'> : never;

export interface WorkerListener {
  onMessage(message: WorkerMessage): void;
  onSaidReady(): void;
  /** A server of a worker that node:cluster alone looks after listens. */
  onListening(address: { readonly host: string | null; readonly port: number; readonly family: 4 | 6 }): void;
  /** @param reason why nothing more is to be expected of it; none where it has closed its channel */
  onDisconnected(reason?: string): void;
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
  /** It has been asked to end: what it is given from now on it does not accept on. */
  leaving = false;
  /** What its inspector says of itself is not for the log: who knows the id in it can attach. */
  concealsInspector = false;
  readonly debugged = new Debugged();
  readonly #fork: WorkerProcess;
  readonly #output: WorkerOutput;
  readonly #listener: WorkerListener;
  /** Told when a message is on its way. Node forgets what waits behind a handle that a worker never comes to read. */
  readonly #unsent = new Set<() => void>();
  #gone = false;

  /** @throws where it has no output; later faults come as an exit */
  constructor(identity: WorkerIdentity, release: Release, fork: WorkerProcess, log: Log, listener: WorkerListener) {
    this.identity = identity;
    this.release = release;
    this.scriptChanged = fingerprintOf(release.script) !== release.fingerprint;
    this.#listener = listener;
    this.#fork = fork;
    const child = fork.process;
    // Where no descriptor is left, the process never comes to be and has no streams at all: its fault comes as an event.
    const { stdout, stderr } = fork;
    if (!stdout || !stderr) throw new Error('the system has no file descriptor left for its output');
    const conceal = (text: string) => (this.concealsInspector ? text.replace(INSPECTOR_ID, '$1...') : text);
    this.#output = captureOutput({ stdout, stderr, ...identity, log, conceal });
    this.#output.onErrorLine((line) => this.debugged.heard(line));

    const { worker, slot, generation } = identity;
    const of = { worker, slot, generation, pid: child.pid };
    fork.listen({
      onListening: ({ address, port, addressType }) => {
        if (!this.plain || (addressType !== 4 && addressType !== 6)) return;
        listener.onListening({ host: address || null, port, family: addressType });
      },
      onMessage: (message) => listener.onMessage(message),
      onSaidReady: () => listener.onSaidReady(),
      onMisconduct: (reason, err) => {
        log.logger.error({ ...of, reason, ...(err !== undefined && { err }) }, 'worker broke its channel');
        listener.onDisconnected(`a worker ${reason}`);
      },
      onSlowed: () => {
        const hint = 'it sends more messages to the supervisor than there is time for';
        log.logger.warn({ ...of, hint }, 'worker slowed');
      },
      onDescriptorRefused: (fd) => {
        const hint = 'have it listen on the address: what systemd has passed for that is used';
        log.logger.warn({ ...of, fd, hint }, 'listening on a file descriptor refused');
      },
      onDisconnect: () => {
        this.#giveUpUnsent();
        setTimeout(() => {
          if (!this.#gone) listener.onDisconnected();
        }, DISCONNECT_GRACE_MS).unref();
      },
      onExit: (code, signal) => this.#exited(code, signal, []),
      onError: (error) => {
        // Only a process that never came to be ends without an exit.
        if (child.pid === undefined) this.#exited(null, null, [error.message]);
      },
    });
  }

  /** No Node: it has no channel, and none of what a preload does. */
  get isProgram(): boolean {
    return this.release.config.exec;
  }

  get output(): Readable | null {
    return this.#fork.process.stdout;
  }

  get pid(): number | undefined {
    return this.#fork.process.pid;
  }

  /** Whether it can still be told anything. */
  get connected(): boolean {
    return this.#fork.process.connected;
  }

  /** Resolves once the message is written or cannot be any more, never rejects; the handle must stay open until then. */
  send(message: WithoutCommand<SupervisorMessage>, handle?: Pick<TcpHandle, 'close'>): Promise<void> {
    const child = this.#fork.process;
    if (!child.connected) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        this.#unsent.delete(settle);
        resolve();
      };
      this.#unsent.add(settle);
      try {
        // The raw handle, not a net.Server: a server would accept in the supervisor.
        child.send({ cmd: CMD, ...message }, handle as never, settle);
      } catch {
        // A channel that takes nothing any more is about to close, which is told by itself.
        settle();
      }
    });
  }

  /** It can read what it prints when this process has gone, which it must to outlive it. */
  shareOutput(): void {
    if (!this.#fork.outlives) return;
    for (const stream of [this.#fork.stdout, this.#fork.stderr]) {
      const handle = (stream as { _handle?: Pick<TcpHandle, 'close'> | null } | null)?._handle;
      if (handle) void this.send({ type: 'output' }, handle);
    }
  }

  /** node:cluster closes its servers, and ends it when its connections have. */
  disconnect(): void {
    if (this.connected) this.#fork.disconnect();
  }

  /** @returns takes the listener back */
  onErrorLine(listener: (line: string) => void): () => void {
    return this.#output.onErrorLine(listener);
  }

  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGUSR1'): void {
    if (!this.#gone) this.#fork.signal(signal);
  }

  #giveUpUnsent(): void {
    for (const settle of this.#unsent) settle();
  }

  #exited(code: number | null, signal: string | null, lines: readonly string[]): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#giveUpUnsent();
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
