/**
 * `holdfast/client`: asks a running supervisor, from any program of its user.
 *
 * Loading it does nothing. Every call makes a connection of its own, and nothing is kept between them.
 */
import os from 'node:os';
import path from 'node:path';
import { type Action, Connection, type ResultLine } from '../control/client/client.js';
import { connectTo, listSupervisors } from '../control/client/find.js';
import { profileInto } from '../control/client/profile-file.js';
import { ownUid, resolveRuntimeDir } from '../control/runtime-dir.js';
import { probeSocket } from '../control/socket-path.js';
import { EXIT, HoldfastError } from '../errors.js';
import type {
  DescribeOptions,
  Description,
  ProfileOptions,
  ReloadOptions,
  UpgradeOptions,
} from '../protocol/control.js';
import type { SupervisorEvent } from '../protocol/events.js';
import type { LogQuery } from '../protocol/logs.js';
import type { SupervisorStatus } from '../protocol/status.js';
import { Task } from './task.js';

export { HoldfastError } from '../errors.js';
export type {
  Change,
  ControlResult,
  DescribeOptions,
  Description,
  ReloadOptions,
  RestartRecord,
  SettingDescription,
  UpgradeOptions,
  VariableDescription,
} from '../protocol/control.js';
export type { SupervisorEvent, SupervisorSnapshot } from '../protocol/events.js';
export type { LogFilter } from '../protocol/logs.js';
export type { WorkerFigures } from '../protocol/measured.js';
export type {
  AddressStatus,
  CanaryStatus,
  RolloutStatus,
  SocketStatus,
  SupervisorStatus,
  TrialStatus,
  WorkerStatus,
} from '../protocol/status.js';
export type { Progress, Task } from './task.js';

/** Where to look for a supervisor. */
export interface Where {
  /** Needed only where several run. */
  readonly name?: string;
  /** The control socket itself, in place of a name. */
  readonly socketPath?: string;
  /** As the command line finds it, if not given: HOLDFAST_RUNTIME_DIR and so on. */
  readonly runtimeDir?: string;
}

export interface Following {
  /** Ends it. */
  readonly signal?: AbortSignal;
}

export interface StatusWanted {
  readonly figures?: boolean;
}

/** Which log lines: those from now on, unless `lines` asks for some that have come already, or `follow` is false. */
export interface LogsWanted extends Following, Partial<LogQuery> {}

export interface ProfileWanted extends Omit<ProfileOptions, 'id' | 'of' | 'forMs'> {
  /** A worker's id, or a slot where there is no such id. Any worker if not given. */
  readonly of?: number;
  /** Must not be there yet. */
  readonly file: string;
  /** From 100 to 600,000; 10 s if not given. Of no account for a snapshot of the heap. */
  readonly forMs?: number;
}

/** An inspector that is open. Who has the URL commands the worker. */
export interface Inspection {
  readonly worker: number;
  readonly url: string;
  /** Closes it. */
  close(): Promise<void>;
}

/** A line of the log: what is in it beside these depends on the message, and on the application. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** What runs in a runtime folder; a `status` of null is one that does not answer. */
export interface Listed {
  readonly name: string;
  readonly status: SupervisorStatus | null;
}

/**
 * The supervisor of this name or path, or the only one that runs.
 *
 * @param where a name; a path, where there is a slash in it; or both in words
 * @throws HoldfastError NO_SUPERVISOR, NAME_NEEDED where several run, RUNTIME_DIR_UNSAFE
 */
export async function connect(where: string | Where = {}): Promise<Client> {
  const given = typeof where === 'string' ? (where.includes('/') ? { socketPath: where } : { name: where }) : where;
  const { name, socketPath } = given;
  if (socketPath === undefined) return new Client(await connectTo(runtimeDirOf(given), name));
  const file = path.resolve(socketPath);
  if ((await probeSocket(file)) !== 'listening') {
    throw new HoldfastError('NO_SUPERVISOR', `cannot connect to ${file}: nobody listens there`, {
      hint: 'see what runs: holdfast status',
      exitCode: EXIT.noSupervisor,
    });
  }
  return new Client(new Connection(path.basename(file, '.sock'), file));
}

/** Every running supervisor, by name. @throws HoldfastError RUNTIME_DIR_UNSAFE */
export function list(where: Pick<Where, 'runtimeDir'> = {}): Promise<Listed[]> {
  return listSupervisors(runtimeDirOf(where));
}

/** A running supervisor. */
export class Client {
  readonly name: string;
  readonly socketPath: string;
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: unknown) {
    this.#connection = connection as Connection;
    this.name = this.#connection.name;
    this.socketPath = this.#connection.socketPath;
  }

  /**
   * @param wanted `figures` for what each worker has answered as well: counts, 5xx, latency
   * @throws HoldfastError NOT_ANSWERING
   */
  status({ figures = false }: StatusWanted = {}): Promise<SupervisorStatus> {
    return this.#connection.status(undefined, figures);
  }

  /** The next generation, rolling; rejects with the reason where it was rolled back. */
  reload(options: ReloadOptions = {}): Task {
    return this.#ask('reload', { reload: options });
  }

  /** The canary's release takes over before its time is over. */
  promote(): Task {
    return this.#ask('promote', 'promote');
  }

  /** The rollout that is under way is rolled back. */
  abort(): Task {
    return this.#ask('abort', 'abort');
  }

  /** Stops all workers, then starts all; clients wait meanwhile. */
  restart(): Task {
    return this.#ask('restart', 'restart');
  }

  /** @param change a number of slots, or a difference: 4, '+2', '-1' */
  scale(change: number | string): Task {
    return this.#ask('scale', { scale: String(change) });
  }

  /**
   * Replaces the supervisor itself by what is installed now, or has it go on under another Node; its PID, the workers and their
   * connections stay. Done when the next program has taken the workers over; rejects where it did not get up, and the one before
   * goes on.
   */
  upgrade({ node }: UpgradeOptions = {}): Task {
    const options = node === undefined ? {} : { node: path.resolve(node) };
    return this.#task('upgrade', async (onProgress) => {
      const { upgradeOver } = await import('../control/client/upgrade-arrival.js');
      return upgradeOver(this.#connection, options, onProgress);
    });
  }

  /** Drains and stops; done when the name is free again. */
  stop(): Task {
    return this.#ask('stop', 'stop');
  }

  /** Everything of the application or of a worker, and why it is so. @throws HoldfastError REFUSED without such a worker */
  describe(options: DescribeOptions = {}): Promise<Description> {
    return this.#connection.describe(options);
  }

  /** A CPU profile, a snapshot of the heap or a sampling heap profile of a live worker, for Chrome's tools. */
  profile({ of, what, file, forMs = 10_000 }: ProfileWanted): Task {
    const wanted = { of: of ?? 'first', what, forMs, file: path.resolve(file) } as const;
    return this.#task('profile', (onProgress) => profileInto(this.#connection, wanted, onProgress));
  }

  /** Opens the inspector of a live worker on loopback. @throws HoldfastError FAILED where it cannot be opened */
  inspect(of?: number): Promise<Inspection> {
    const leave = new AbortController();
    return new Promise((resolve, reject) => {
      const task = this.#task('inspect', (onProgress) =>
        this.#connection.perform(
          { inspect: { of: of ?? 'first' } },
          (line) => {
            onProgress(line);
            const { worker, url } = line.fields;
            if (typeof url !== 'string') return;
            const close = async () => {
              leave.abort();
              await task.result.catch(() => {});
            };
            resolve({ worker: Number(worker), url, close });
          },
          leave.signal,
        ),
      );
      task.result.catch(reject);
    });
  }

  /** Log lines, until the signal or the supervisor's end. @throws HoldfastError CONNECTION_LOST */
  async *logs({ signal, ...query }: LogsWanted = {}): AsyncGenerator<LogLine, void, void> {
    const isAsked = Object.keys(query).length > 0;
    const wanted = isAsked ? { lines: 0, follow: true, ...query } : undefined;
    let isHead = isAsked;
    for await (const line of this.#connection.logs(signal, wanted)) {
      if (!isHead) yield JSON.parse(line) as LogLine;
      isHead = false;
    }
  }

  /**
   * How things are, then what happens, until the signal or the supervisor's end.
   *
   * @throws HoldfastError CONNECTION_LOST; CUT_OFF for who reads too slowly
   */
  events({ signal }: Following = {}): AsyncGenerator<SupervisorEvent, void, void> {
    return this.#connection.events(signal);
  }

  #ask(verb: string, action: Action): Task {
    return this.#task(verb, (onProgress) => this.#connection.perform(action, onProgress));
  }

  #task(verb: string, perform: (onProgress: Parameters<Connection['perform']>[1]) => Promise<ResultLine>): Task {
    return new Task(perform, (reason) => {
      const message = reason.startsWith('cannot ') ? reason : `cannot ${verb} ${this.name}: ${reason}`;
      return new HoldfastError('FAILED', message, { hint: `how it stands: holdfast status --name ${this.name}` });
    });
  }
}

function runtimeDirOf({ runtimeDir }: Where): string {
  return path.resolve(runtimeDir ?? resolveRuntimeDir(process.env, ownUid(), os.tmpdir()));
}
