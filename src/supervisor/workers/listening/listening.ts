/**
 * Answers workers that want to listen: finds or binds the socket in custody and hands a duplicate over. Where another address
 * of ours is in the way the server gets a stand-in, and the table of sockets decides what becomes of it.
 */
import os from 'node:os';
import type { AnyEvent } from '../../../core/supervision.js';
import { HoldfastError } from '../../../errors.js';
import type { Log } from '../../../logs/logger.js';
import type { MonotonicMs } from '../../../monotonic.js';
import type { AddressKey, AddressRequest, SharedRequest, WorkerMessage } from '../../../protocol/worker.js';
import { addressKey, formatAddress, sharedKey } from '../../../sockets/address/address.js';
import type { Owner } from '../../../sockets/address/owner.js';
import { asNamed, rivalsOf } from '../../../sockets/address/rivals.js';
import { makeStandIn } from '../../../sockets/bind/bind.js';
import { BindError } from '../../../sockets/bind/bind-error.js';
import type { Custody, CustodySocket } from '../../../sockets/custody/custody.js';
import type { SharedSockets } from '../../../sockets/custody/shared.js';
import type { WorkerHandle } from '../process/handle.js';
import { Holders } from './holders.js';
import { StandIns } from './stand-ins.js';

export interface BindDelay {
  readonly key: AddressKey;
  readonly address: string;
  readonly owner: Owner | null;
  readonly untilMs: MonotonicMs;
}

const { EMFILE, ENFILE, ENOBUFS, ENOMEM } = os.constants.errno;
/** What the supervisor itself lacks then. */
const OURS: ReadonlySet<number> = new Set([EMFILE, ENFILE, ENOBUFS, ENOMEM].map((errno) => -errno));

type News = Extract<WorkerMessage, { type: 'bound' | 'stayed' | 'closed' | 'adopted' }>;

export class Listening {
  readonly standIns = new StandIns();
  readonly #holders = new Holders();
  readonly #dispatch: (event: AnyEvent) => void;
  readonly #log: Log;
  readonly #mayBind: Promise<void>;
  /** Workers that wait for an address, by its key. */
  readonly #waiting = new Map<AddressKey, Set<number>>();

  /** @param mayBind resolves when nobody is to come any more who may hold a socket that is asked for */
  constructor(dispatch: (event: AnyEvent) => void, log: Log, mayBind: Promise<void> = Promise.resolve()) {
    this.#dispatch = dispatch;
    this.#log = log;
    this.#mayBind = mayBind;
  }

  /** It has a socket that all share, from before. */
  holds(key: AddressKey, worker: number): void {
    this.#holders.add(key, worker);
  }

  async give(custody: Custody, worker: WorkerHandle, seq: number, asked: AddressRequest): Promise<void> {
    await this.#mayBind;
    const request = asNamed(custody.list(), asked);
    const { slot } = worker.identity;
    const hasRivals = rivalsOf(custody.list(), slot, request).length > 0;
    const acquire = () => custody.acquire(slot, request);
    if (hasRivals || !(await this.#give(worker, seq, addressKey(request), acquire))) {
      await this.#standIn(worker, seq, request);
    }
  }

  /** For a worker that gets its sockets when it begins. @throws what custody throws, `signal` aborted included */
  async acquireFor(
    custody: Custody,
    { worker, slot }: WorkerHandle['identity'],
    request: AddressRequest,
    signal: AbortSignal,
  ): Promise<CustodySocket> {
    const key = addressKey(request);
    this.#wait(key, worker);
    try {
      const socket = await custody.acquire(slot, request, signal);
      this.#dispatch({ type: 'socketOpened', socket: { slot: socket.slot, key }, worker });
      return socket;
    } finally {
      this.#done(key, worker);
    }
  }

  async share(shared: SharedSockets, worker: WorkerHandle, seq: number, request: SharedRequest): Promise<void> {
    await this.#mayBind;
    const key = sharedKey(request);
    // From now on: nobody is to close it while it is on its way.
    this.#holders.add(key, worker.identity.worker);
    const acquire = () => shared.acquire(request, (other) => this.#holders.has(other));
    await this.#give(worker, seq, key, acquire);
  }

  /** A worker has ended. */
  forget(worker: number): void {
    this.standIns.forget(worker);
    this.#holders.forget(worker);
  }

  /** @returns false where another address of ours has come to be in the way: nothing has been answered then */
  async #give(
    worker: WorkerHandle,
    seq: number,
    key: AddressKey,
    acquire: () => Promise<{ readonly slot: number | null; readonly handle: { close(): void } }>,
  ): Promise<boolean> {
    const { worker: id } = worker.identity;
    this.#wait(key, id);
    try {
      const socket = await acquire();
      this.#dispatch({ type: 'socketOpened', socket: { slot: socket.slot, key }, worker: id });
      await worker.send({ type: 'socket', seq, key, errno: 0, hold: worker.held || worker.leaving }, socket.handle);
    } catch (error) {
      // It has come meanwhile, while both were waited for.
      if (error instanceof BindError && error.isOurs) return false;
      await this.#refuse(worker, seq, key, error);
    } finally {
      this.#done(key, id);
    }
    return true;
  }

  /** Most likely it is a look, and over before anything is decided. */
  async #standIn(worker: WorkerHandle, seq: number, request: AddressRequest): Promise<void> {
    const key = addressKey(request);
    const { worker: id } = worker.identity;
    let handle: ReturnType<typeof makeStandIn>;
    try {
      handle = makeStandIn();
    } catch (error) {
      return this.#refuse(worker, seq, key, error);
    }
    this.standIns.add(id, key, request);
    const sent = worker.send({ type: 'socket', seq, key, errno: 0, hold: worker.held, standIn: true }, handle);
    this.#dispatch({ type: 'contested', worker: id, key });
    await sent;
    handle.close();
  }

  /** First the news, then the errno: the application may end the moment it hears of it. */
  async #refuse(worker: WorkerHandle, seq: number, key: AddressKey, error: unknown): Promise<void> {
    const errno = error instanceof BindError ? error.errno : -os.constants.errno.EINVAL;
    const isOurs = OURS.has(errno);
    this.#holders.remove(key, worker.identity.worker);
    const reason = reasonOf(error);
    this.#dispatch({ type: 'bindFailed', worker: worker.identity.worker, key, reason, ...(isOurs && { isOurs }) });
    await worker.send({ type: 'socket', seq, key, errno });
    if (error instanceof BindError && error.owner !== null) this.#nameLater(worker, error.owner);
  }

  /** On a machine with thousands of processes: the application has been answered before it was known who has the address. */
  #nameLater({ identity: { worker, slot, generation } }: WorkerHandle, { later }: Owner): void {
    void later?.().then(({ address, pid: ownerPid, command: ownerCommand }) => {
      if (ownerPid === null) return;
      this.#log.logger.warn({ worker, slot, generation, address, ownerPid, ownerCommand }, 'address is in use');
    });
  }

  /** What was in the way has gone: the real one follows its stand-in. */
  async open(custody: Custody, worker: WorkerHandle, key: AddressKey): Promise<void> {
    const { worker: id, slot } = worker.identity;
    const standIn = this.standIns.get(id, key);
    if (standIn === undefined) return;
    const { request } = standIn;
    try {
      const socket = await custody.acquire(slot, request);
      this.#dispatch({ type: 'socketOpened', socket: { slot: socket.slot, key }, worker: id });
      if (this.standIns.get(id, key) === standIn) await worker.send({ type: 'adopt', slot, key }, socket.handle);
      else this.#dispatch({ type: 'closed', worker: id, key });
    } catch (error) {
      if (this.standIns.get(id, key) !== standIn) return;
      const isOurs = error instanceof BindError && error.isOurs;
      const rivals = isOurs ? rivalsOf(custody.list(), slot, request) : [];
      const lasting = rivals.find((rival) => custody.isForeign(rival));
      if (isOurs && lasting === undefined) {
        this.#dispatch({ type: 'contested', worker: id, key });
        return;
      }
      const inTheWay =
        lasting &&
        `cannot listen on ${key}: ${lasting.key}, a socket of the service manager, is in the way — change one of them`;
      this.#dispatch({ type: 'failed', worker: id, reason: inTheWay ?? reasonOf(error) });
    }
  }

  /** By itself, or by node:cluster: it hears of no server that is closed, and so cannot tell one that stays from one that does not. */
  opened(worker: number, key: AddressKey): void {
    this.#dispatch({ type: 'bound', worker, key });
    this.#dispatch({ type: 'stayed', worker, key });
  }

  /** What only stands for a socket serves nobody: that is told once the real one has followed. */
  heard(custody: Custody, { worker, slot: own }: WorkerHandle['identity'], message: News): void {
    const { key } = message;
    // Nobody looks at a port for datagrams first.
    if (message.type === 'bound' && key.startsWith('udp:')) {
      this.opened(worker, key);
      return;
    }
    if (message.type === 'bound' || message.type === 'stayed') {
      const standIn = this.standIns.get(worker, key);
      if (standIn !== undefined) standIn.stayed ||= message.type === 'stayed';
      else if (message.type === 'stayed') this.#dispatch({ type: 'stayed', worker, key });
      else this.#dispatch({ type: 'bound', worker, key, ...chosenPort(custody, own, key) });
      return;
    }
    if (message.type === 'closed') {
      this.standIns.remove(worker, key);
      if (this.#holders.remove(key, worker)) return;
      this.#dispatch({ type: 'closed', worker, key });
      return;
    }
    const { ok, slot } = message;
    const standIn = slot === own ? this.standIns.remove(worker, key) : undefined;
    if (ok && slot === own) {
      this.#dispatch({ type: 'bound', worker, key });
      if (standIn?.stayed) this.#dispatch({ type: 'stayed', worker, key });
    } else if (!ok && standIn !== undefined)
      this.#dispatch({ type: 'failed', worker, reason: `a worker cannot accept on ${key}` });
    else if (!ok) this.#dispatch({ type: 'notAdopted', worker, socket: { slot, key } });
  }

  /** Another process holds the address: those who wait for it get the time. */
  delayed(delay: BindDelay): void {
    const { owner } = delay;
    this.#log.logger.warn(
      { address: delay.address, ownerPid: owner?.pid ?? null, ownerCommand: owner?.command ?? null },
      'address is taken, waiting for its owner to go',
    );
    const { key, untilMs: until } = delay;
    for (const worker of this.#waiting.get(key) ?? []) this.#dispatch({ type: 'bindDelayed', worker, key, until });
  }

  #wait(key: AddressKey, worker: number): void {
    const waiting = this.#waiting.get(key) ?? new Set();
    waiting.add(worker);
    this.#waiting.set(key, waiting);
  }

  #done(key: AddressKey, worker: number): void {
    const waiting = this.#waiting.get(key);
    waiting?.delete(worker);
    if (waiting?.size === 0) this.#waiting.delete(key);
  }
}

/** With the next step, where there is one. */
export function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return error instanceof HoldfastError && error.hint !== undefined ? `${reason} — ${error.hint}` : reason;
}

/** What people are told of an address whose port the kernel has chosen. */
function chosenPort(custody: Custody, slot: number, key: string): { readonly address?: string } {
  const socket = key.includes(':0#') ? custody.find(slot, key) : undefined;
  return socket === undefined ? {} : { address: formatAddress(socket.host, socket.port) };
}
