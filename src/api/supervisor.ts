/**
 * `holdfast/supervisor`: a supervisor of one's own, for a program.
 *
 * Loading it starts nothing and listens to no signal. The supervisor is a child process, `holdfast start`, asked over its control
 * socket: what the program does to its event loop, and how it ends, does not touch the sockets in custody.
 */
import { EventEmitter } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '../control/client/client.js';
import { ownUid, resolveRuntimeDir } from '../control/runtime-dir.js';
import { controlSocketPath } from '../control/socket-path.js';
import { HoldfastError } from '../errors.js';
import type { ReloadOptions } from '../protocol/control.js';
import type { SupervisorEvent } from '../protocol/events.js';
import type { SupervisorStatus } from '../protocol/status.js';
import { type Launched, launch, type Started, type Surroundings } from './child.js';
import { Client } from './client.js';
import type { Options } from './options.js';
import { passOn } from './pass-on.js';
import type { Task } from './task.js';

export { HoldfastError } from '../errors.js';
export type { ControlResult, ReloadOptions } from '../protocol/control.js';
export type { SupervisorEvent } from '../protocol/events.js';
export type { SupervisorStatus, WorkerStatus } from '../protocol/status.js';
export type { Started, Surroundings } from './child.js';
export type { Client, LogLine } from './client.js';
export type { Duration, Options } from './options.js';
export type { Progress, Task } from './task.js';

/** How long one that does not answer any more may take to end. */
const ENDING_MS = 5_000;

/** What the events of a `Supervisor` come with; `ended` when its process has, for whatever reason. */
export type Events = {
  readonly [Type in SupervisorEvent['type']]: [event: Extract<SupervisorEvent, { readonly type: Type }>];
} & {
  readonly event: [event: SupervisorEvent];
  readonly ended: [how: { readonly code: number | null; readonly signal: NodeJS.Signals | null }];
};

/** A supervisor that this program starts, and that ends with it unless it is to outlive it. */
export class Supervisor extends EventEmitter<Events> {
  readonly #options: Options;
  readonly #how: Surroundings & { readonly runtimeDir?: string };
  #launched: Launched | null = null;
  #client: Client | null = null;

  /** Checked by `start`, by the schema of every configuration. */
  constructor(options: Options, how: Surroundings & { readonly runtimeDir?: string } = {}) {
    super();
    this.#options = options;
    this.#how = how;
  }

  /** Of its process; null while there is none. */
  get pid(): number | null {
    return this.#launched?.child.pid ?? null;
  }

  /** For everything else that a supervisor can be asked. @throws HoldfastError NOT_STARTED */
  get client(): Client {
    if (this.#client !== null) return this.#client;
    throw new HoldfastError('NOT_STARTED', 'cannot ask the supervisor: it does not run', {
      hint: 'await start() first',
    });
  }

  /**
   * Resolves when the workers are ready.
   *
   * @throws HoldfastError CONFIG_INVALID with every fault of the options; START_FAILED with the reason; ALREADY_STARTED
   */
  async start(): Promise<Started> {
    if (this.#launched !== null) {
      throw new HoldfastError('ALREADY_STARTED', 'cannot start the supervisor: it has been started', {
        hint: 'make another one, or wait for its end',
      });
    }
    const env = this.#how.env ?? process.env;
    const runtimeDir = path.resolve(this.#how.runtimeDir ?? resolveRuntimeDir(env, ownUid(), os.tmpdir()));
    const launched = launch(this.#options, runtimeDir, this.#how);
    this.#launched = launched;
    void launched.ended.then((how) => {
      this.#launched = null;
      this.#client = null;
      this.emit('ended', how);
    });
    const started = await launched.started;
    const connection = new Connection(started.name, controlSocketPath(runtimeDir, started.name));
    this.#client = new Client(connection);
    const { outlives = false } = this.#how;
    if (outlives) {
      launched.child.disconnect();
      launched.child.unref();
    }
    void passOn(
      () => connection.events(undefined, outlives),
      (event) => this.#tell(event),
    );
    return started;
  }

  /** The next generation, rolling, from the same options; script, folder and envFile are read anew. */
  reload(options: ReloadOptions = {}): Task {
    return this.client.reload(options);
  }

  restart(): Task {
    return this.client.restart();
  }

  /** @param change a number of slots, or a difference: 4, '+2', '-1' */
  scale(change: number | string): Task {
    return this.client.scale(change);
  }

  status(): Promise<SupervisorStatus> {
    return this.client.status();
  }

  /** Drains and stops; resolves when its process has ended. Nothing where it does not run. */
  async stop(): Promise<void> {
    const launched = this.#launched;
    if (launched === null) return;
    // One that may outlive this program does not keep it; who waits for its end does.
    launched.child.ref();
    // While it starts there may be nobody to ask yet.
    if (this.#client === null) launched.child.kill('SIGTERM');
    else await this.#client.stop().result.catch((error) => this.#unlessItEnds(launched, error));
    await launched.ended;
  }

  /** Where it could not be asked: somebody else may have stopped it just before. */
  async #unlessItEnds({ ended }: Launched, error: unknown): Promise<void> {
    const late = new AbortController();
    const isOver = await Promise.race([
      ended.then(() => true),
      delay(ENDING_MS, false, { signal: late.signal }).catch(() => false),
    ]);
    late.abort();
    if (!isOver) throw error;
  }

  #tell(event: SupervisorEvent): void {
    // The compiler does not see that each type comes with its own event.
    const emitter = this as EventEmitter;
    emitter.emit('event', event);
    emitter.emit(event.type, event);
  }
}
