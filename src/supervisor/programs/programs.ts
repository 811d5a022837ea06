/**
 * Workers that are no Node: gets their sockets out of custody, starts them, and finds out when they are ready. What a preload
 * does for others nobody does here: they accept as soon as they like, and are asked to end by SIGTERM.
 */
import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import type { ListenTarget } from '../../config/schema/listen-address.js';
import type { AnyEvent } from '../../core/supervision.js';
import { HoldfastError } from '../../errors.js';
import type { NativeLoad } from '../../native/libc.js';
import type { AddressKey, AddressRequest } from '../../protocol/worker.js';
import { formatAddress } from '../../sockets/address/address.js';
import type { Custody, CustodySocket } from '../../sockets/custody/custody.js';
import type { Release } from '../deployments/release.js';
import type { Listening } from '../workers/listening/listening.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import type { WorkerIdentity } from '../workers/process/variables.js';
import { acceptedConnection } from './acceptance.js';
import { askHealth } from './ask-health.js';
import { ProgramGuard } from './guard.js';
import { NotifySocket, notifyName, removeLeftSockets } from './notify-socket.js';
import { ProgramProcess, SHELL } from './program-process.js';

/** What Node asks for. */
const BACKLOG = 511;
/** Begins to listen in a process that ends before it could accept. */
const LISTEN_ONCE = 'require("node:net").createServer().listen({ fd: 3 }); process.exit(0)';

export interface ProgramsOptions {
  readonly name: string;
  readonly runtimeDir: string;
  readonly native: NativeLoad;
  readonly custody: Custody;
  readonly listening: Listening;
  readonly dispatch: (event: AnyEvent) => void;
  /** How many workers there are. */
  readonly count: () => number;
}

/** One that is to be started, or runs. */
interface Program {
  readonly identity: WorkerIdentity;
  readonly gone: AbortController;
  sockets: readonly CustodySocket[];
  notify: NotifySocket | null;
  pid: number | null;
  /** It has answered well before. */
  healthy: boolean;
}

export class Programs {
  readonly #options: ProgramsOptions;
  readonly #programs = new Map<number, Program>();
  readonly #listening = new WeakSet<CustodySocket>();
  readonly #declared = new WeakMap<Release, Set<AddressKey>>();
  #guard: ProgramGuard | null = null;

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /**
   * Everything that it needs, so that it can be started at once.
   *
   * @throws what is to be told of a worker that could not be started; so does what is returned, also where it was forgotten meanwhile
   */
  async prepare(identity: WorkerIdentity, release: Release): Promise<() => ProgramProcess> {
    const { native, custody, listening, runtimeDir, name } = this.#options;
    const { listen, ready, script } = { ...release.config, script: release.script };
    const program: Program = {
      ...{ identity, gone: new AbortController(), sockets: [], notify: null, pid: null, healthy: false },
    };
    const { signal } = program.gone;
    if (this.#guard === null) removeLeftSockets(runtimeDir, name);
    this.#guard ??= new ProgramGuard(release.config.drainTimeoutMs + release.config.killTimeoutMs);
    this.#programs.set(identity.worker, program);
    if (listen.length > 0 && !existsSync(SHELL)) {
      throw new HoldfastError('NO_SHELL', `cannot run ${script}: ${SHELL} is missing, which sets its LISTEN_PID`, {
        hint: 'use an image that has a shell, such as debian:slim or alpine',
      });
    }
    if (ready === 'message' && !native.ok) {
      throw new HoldfastError('NO_NOTIFY', `cannot wait for READY=1 of ${script}: ${native.reason}`, {
        hint: 'install koffi, or set ready: listening or running',
      });
    }
    if (native.ok) program.notify = new NotifySocket(native.native, runtimeDir, notifyName(name, identity.worker));
    for (const target of listen) {
      const socket = await listening.acquireFor(custody, identity, await requestOf(target), signal);
      this.#listenOn(socket);
      this.#declare(release, socket.key);
      program.sockets = [...program.sockets, socket];
    }
    const sockets = listen.map(({ name: as }, at) => ({ name: as, fd: program.sockets[at]!.handle.fd }));
    return () => {
      // Asked at the very moment at which it would be started: nobody would end it.
      if (signal.aborted) throw new Error('it is no longer wanted');
      return new ProgramProcess({ identity, release, sockets, notifyPath: program.notify?.path ?? null });
    };
  }

  /** Whether programs of that release listen there, as its configuration says. */
  isDeclared(release: Release, key: AddressKey): boolean {
    return this.#declared.get(release)?.has(key) ?? false;
  }

  #declare(release: Release, key: AddressKey): void {
    const keys = this.#declared.get(release) ?? new Set();
    this.#declared.set(release, keys.add(key));
  }

  /** It runs: from now on it is found out when it is ready. */
  begun({ identity, pid, release, output }: Pick<WorkerHandle, 'identity' | 'pid' | 'release' | 'output'>): void {
    const program = this.#programs.get(identity.worker);
    if (program === undefined || pid === undefined) return;
    const { dispatch } = this.#options;
    const { worker } = identity;
    program.pid = pid;
    this.#guard?.begun(pid);
    if (output !== null) program.notify?.listen(output, () => dispatch({ type: 'saidReady', worker }));
    const isSeen = release.config.ready === 'listening' && process.platform === 'linux';
    for (const socket of program.sockets) {
      if (isSeen) void this.#watch(program, pid, socket);
      else this.#accepts(program, socket);
    }
  }

  /** Answered by `told`, whatever becomes of it: null where nothing is wrong. */
  async askHealth({ identity, release }: WorkerHandle, told: (reason: string | null) => void): Promise<void> {
    const program = this.#programs.get(identity.worker);
    const [socket] = program?.sockets ?? [];
    const { health, healthTimeoutMs } = release.config;
    if (program?.pid == null || socket === undefined || health === null) return told(null);
    const signal = AbortSignal.any([program.gone.signal, AbortSignal.timeout(healthTimeoutMs)]);
    const connection = await acceptedConnection(program.pid, socket, () => this.#sharers, signal);
    if (connection === null) {
      // Others take the connections as well: that none came to it says nothing of one that was well before.
      told(program.healthy ? null : `no connection came to it within ${healthTimeoutMs / 1000} s`);
      return;
    }
    let late = false;
    const abort = () => {
      late = true;
      connection.destroy();
    };
    signal.addEventListener('abort', abort, { once: true });
    const reason = await askHealth(connection, health, formatAddress(socket.host, socket.port));
    signal.removeEventListener('abort', abort);
    if (reason === null) program.healthy = true;
    told(late ? `GET ${health} was not answered within ${healthTimeoutMs / 1000} s` : reason);
  }

  /** It has ended, or is not to be started any more. */
  forget(worker: number): void {
    const program = this.#programs.get(worker);
    if (program === undefined) return;
    this.#programs.delete(worker);
    program.gone.abort();
    program.notify?.close();
    if (program.pid !== null) this.#guard?.ended(program.pid);
  }

  close(): void {
    for (const worker of [...this.#programs.keys()]) this.forget(worker);
    this.#guard?.close();
  }

  get #sharers(): number {
    return Math.max(0, this.#options.count() - 1);
  }

  /** Until the kernel gives it a connection. */
  async #watch(program: Program, pid: number, socket: CustodySocket): Promise<void> {
    const connection = await acceptedConnection(pid, socket, () => this.#sharers, program.gone.signal);
    connection?.destroy();
    if (connection !== null) this.#accepts(program, socket);
  }

  #accepts({ identity: { worker } }: Program, { key }: CustodySocket): void {
    this.#options.listening.opened(worker, key);
  }

  /** The program expects that: it gets the flags, too, that it would have from systemd. */
  #listenOn(socket: CustodySocket): void {
    if (this.#listening.has(socket)) return;
    this.#listening.add(socket);
    const { native } = this.#options;
    const { fd } = socket.handle;
    if (native.ok) {
      native.native.listen(fd, BACKLOG);
      native.native.setBlocking(fd);
    } else {
      execFileSync(process.execPath, ['-e', LISTEN_ONCE], {
        stdio: ['ignore', 'ignore', 'ignore', fd] as never,
        env: {},
      });
    }
  }
}

async function requestOf({ host, port }: ListenTarget): Promise<AddressRequest> {
  if (host === null) return { host, port, family: 6, ipv6Only: false, ordinal: 0 };
  const { address, family } = await lookup(host).catch((cause: NodeJS.ErrnoException) => {
    const hint = 'give an IP address, or a name that resolves here: getent hosts NAME';
    throw new HoldfastError(
      'UNKNOWN_HOST',
      `cannot listen on ${host}:${port}: this machine does not know the host (${cause.code})`,
      { hint, cause },
    );
  });
  return { host: address, port, family: family === 6 ? 6 : 4, ipv6Only: false, ordinal: 0 };
}
