/**
 * The worker processes and what is sent to them. Does what the core decides, one method an effect, and reports back
 * what it observes as events.
 */
import { DIAGNOSIS_MS } from '../../core/lifecycle.js';
import type { Effect, SocketId } from '../../core/types.js';
import type { AddressKey, SupervisorMessage, WorkerMessage } from '../../protocol.js';
import { addressKey } from '../../sockets/address.js';
import type { Release } from '../deployments/release.js';
import type { Programs } from '../programs/programs.js';
import { attachedFrom } from '../takeover/arrived.js';
import type { PassedOn } from '../upgrade/passed-state.js';
import { OomWatch } from '../upkeep/oom.js';
import type { Examinations } from './examinations.js';
import { Fork, type WorkerIdentity, type WorkerProcess } from './fork.js';
import { WorkerHandle } from './handle.js';
import { HandlesUnderWay } from './handles-under-way.js';
import { hangStack } from './hang-stack.js';
import { WorkerHealth } from './health.js';
import { Leftovers } from './leftovers.js';
import { HANDOVER_LACK, type HandoverFigures, Links } from './links.js';
import { reasonOf } from './listening.js';
import { whatIsSeenOf } from './look-around.js';
import { ProcessGroups } from './process-groups.js';
import { type Stats, WorkerStats } from './stats.js';
import { TicketKey } from './ticket-key.js';
import type { WorkforceOptions } from './workforce-options.js';

type DrainOrder = Omit<Extract<SupervisorMessage, { type: 'drain' }>, 'cmd' | 'type' | 'heirs' | 'sayShutdown'>;
/** Who takes over the connections of a draining worker, and of which addresses. */
type Succession = Pick<Extract<Effect, { do: 'link' }>, 'heirs' | 'addresses'>;

export class Workforce {
  readonly stats = new WorkerStats();
  /** Told of every answer: each is a sign of life as well. */
  onStats: (worker: number, stats: Stats) => void = () => {};
  readonly leftBehind: ProcessGroups;
  /** Workers that are no Node; null as long as there are none. */
  programs: Programs | null = null;
  readonly #ticketKey = new TicketKey((key) => {
    for (const handle of this.#workers.values()) void handle.send({ type: 'ticketKey', key });
  });
  readonly #options: WorkforceOptions;
  readonly #workers = new Map<number, WorkerHandle>();
  readonly #handles = new HandlesUnderWay();
  readonly #leftovers: Leftovers;
  readonly #links: Links;
  readonly #health: WorkerHealth;
  readonly #oom = new OomWatch();
  readonly #examinations: Examinations;

  constructor(options: WorkforceOptions) {
    this.#options = options;
    this.leftBehind = new ProcessGroups(options.log);
    this.#examinations = options.examinations;
    this.#health = new WorkerHealth(options.dispatch);
    this.#leftovers = new Leftovers(options.log);
    this.#links = new Links(options.openStreamPair, options.log);
  }

  /** What became of the connections that were to be handed over, since the supervisor began. */
  get handover(): HandoverFigures {
    return this.#links.figures;
  }

  /** What the program before an exec has counted. */
  goOnWith({ handover, cutOff }: Pick<PassedOn, 'handover' | 'cutOff'>): void {
    this.#links.goOnWith(handover);
    Object.assign(this.#leftovers.cutOff, cutOff);
  }

  get cutOff(): Leftovers['cutOff'] {
    return this.#leftovers.cutOff;
  }

  get workers(): ReadonlyMap<number, WorkerHandle> {
    return this.#workers;
  }

  spawn({ worker, slot, generation, held }: Omit<Extract<Effect, { do: 'spawn' }>, 'do'>, release: Release): void {
    const { name, attachAt = null, shared, firstWorker } = this.#options;
    const identity = { worker, slot, generation, name };
    if (release.config.exec) {
      void this.#spawnProgram(identity, release, held);
      return;
    }
    this.#begin(identity, release, held, () => {
      return firstWorker?.take(identity) ?? new Fork(identity, release, { keptPaths: shared.paths, attachAt });
    });
  }

  /** Its sockets come first. Never rejects. */
  async #spawnProgram(identity: WorkerIdentity, release: Release, held: boolean): Promise<void> {
    let start: () => WorkerProcess;
    try {
      start = await (await this.#loadPrograms()).prepare(identity, release);
    } catch (error) {
      start = () => {
        throw error;
      };
    }
    const handle = this.#begin(identity, release, held, start);
    if (handle !== null) this.programs?.begun(handle);
  }

  #begin(identity: WorkerIdentity, release: Release, held: boolean, start: () => WorkerProcess): WorkerHandle | null {
    const handle = this.#enroll(identity, release, start, held);
    // Before any answer to `listen`: the channel keeps the order.
    void handle?.send({ type: 'ticketKey', key: this.#ticketKey.current });
    handle?.shareOutput();
    const { worker } = identity;
    if (handle?.pid !== undefined) this.#options.dispatch({ type: 'spawned', worker, pid: handle.pid });
    return handle;
  }

  /** One that has come from a supervisor that is gone. @throws where it has gone meanwhile */
  takeIn({ worker, slot, generation }: Omit<Extract<Effect, { do: 'takeIn' }>, 'do'>, release: Release): void {
    const { name, takeover } = this.#options;
    const arrival = takeover?.take(worker);
    if (arrival === undefined) throw new Error('it has gone meanwhile');
    const identity = { worker, slot, generation, name };
    const { held, missing } = arrival.attach;
    const attached = attachedFrom(arrival);
    const handle = this.#enroll(identity, release, () => new Fork(identity, release, { attached }), held);
    if (handle === null) return;
    // Only `able` says more, which it has said before.
    handle.missing = missing;
    void handle.send({ type: 'attached' });
    void handle.send({ type: 'ticketKey', key: this.#ticketKey.current });
  }

  /** All that were to be taken over are settled. @param held those who are not to accept yet what they ask for */
  endTakeover(held: readonly number[]): void {
    for (const worker of held) {
      const handle = this.#workers.get(worker);
      if (handle !== undefined) handle.held = true;
    }
    this.#options.takeover?.end();
  }

  /** @returns null where it could not be started: that is told as an exit */
  #enroll(identity: WorkerIdentity, release: Release, start: () => WorkerProcess, held: boolean): WorkerHandle | null {
    const { log, dispatch } = this.#options;
    const { worker, slot, generation } = identity;
    let started: WorkerProcess | null = null;
    const exited = (code: number | null, signal: string | null, lastLines: readonly string[]) => {
      this.#workers.delete(worker);
      this.#links.gone(worker);
      this.#options.listening.forget(worker);
      this.#leftovers.forget(worker);
      this.#health.forget(worker);
      this.#examinations.forget(worker);
      this.#options.observing.gone(worker);
      this.programs?.forget(worker);
      // Asked at each exit: a kill of something that a worker had started must not be laid to the next one that is killed.
      const killed = this.#oom.hasKilled();
      const oomKilled = signal === 'SIGKILL' && killed;
      const isUntold = started?.isUntold ?? false;
      const tell = () =>
        dispatch({ type: 'exited', worker, code, signal, lastLines, chance: Math.random(), oomKilled, isUntold });
      // What it has started may hold a port as well.
      if (this.#options.isRestarting()) void this.leftBehind.gone().then(tell);
      else tell();
    };
    try {
      const process = start();
      started = process;
      const handle: WorkerHandle = new WorkerHandle(identity, release, process, log, {
        onMessage: (message) => this.#heard(handle, message),
        onSaidReady: () => dispatch({ type: 'saidReady', worker }),
        onListening: (address) =>
          this.#options.listening.opened(worker, addressKey({ ...address, ipv6Only: false, ordinal: 0 })),
        onDisconnected: (reason) => dispatch({ type: 'disconnected', worker, ...(reason !== undefined && { reason }) }),
        onEnded: () => {
          this.leftBehind.ended(handle);
          this.#options.shared.restoreNames();
          dispatch({ type: 'ended', worker });
        },
        onExited: exited,
      });
      this.#workers.set(worker, handle);
      handle.held = held;
      if (handle.scriptChanged) {
        const hint = 'the release is no longer on disk as it was when it was loaded: this worker runs the new file';
        log.logger.warn({ worker, slot, generation, script: release.script, hint }, 'script has changed');
      }
      return handle;
    } catch (error) {
      started = null;
      exited(null, null, [reasonOf(error)]);
      return null;
    }
  }

  /** Few need them. */
  async #loadPrograms(): Promise<Programs> {
    const { Programs } = await import('../programs/programs.js');
    this.programs ??= new Programs({ ...this.#options, count: () => this.#workers.size });
    return this.programs;
  }

  /** Asks a worker for its figures; the answer comes by `onStats`. */
  ask(worker: number): void {
    const handle = this.#workers.get(worker);
    if (handle !== undefined) this.stats.poll(handle);
  }

  /** What a worker has done since it began, its answers included; null where it does not tell. */
  figures(worker: number): Promise<Stats | null> {
    const handle = this.#workers.get(worker);
    return handle === undefined ? Promise.resolve(null) : this.stats.ask(handle, true);
  }

  /** Whether a debugger is attached to a worker. */
  async isDebugged(worker: number): Promise<boolean> {
    if (this.#examinations.isBusy(worker)) return true;
    return (await this.#workers.get(worker)?.debugged.isAttached()) ?? false;
  }

  accept(worker: number): void {
    const handle = this.#workers.get(worker);
    if (handle === undefined) return;
    handle.held = false;
    void handle.send({ type: 'accept' });
  }

  /** Answered by `healthTold`, whatever becomes of the worker. */
  askHealth(worker: number): void {
    const handle = this.#workers.get(worker);
    if (handle?.isProgram) {
      void this.programs?.askHealth(handle, (reason) => this.#options.dispatch({ type: 'healthTold', worker, reason }));
    } else if (handle !== undefined) this.#health.ask(handle);
  }

  /** Logs where the event loop of a worker hangs, as far as that can be found out, and says when that is done. */
  diagnose(worker: number): void {
    const handle = this.#workers.get(worker);
    if (handle === undefined) return;
    const { slot, generation } = handle.identity;
    const target = {
      signal: (signal: 'SIGUSR1') => handle.signal(signal),
      onStderrLine: (listener: (line: string) => void) => handle.onErrorLine(listener),
    };
    void hangStack(target, DIAGNOSIS_MS - 500).then((stack) => {
      const message = stack === null ? 'cannot find out where it hangs' : 'it hangs here';
      this.#options.log.logger.error({ worker, slot, generation, pid: handle.pid, stack }, message);
      if (stack !== null) this.#options.observing.hangs(slot, stack);
      this.#options.dispatch({ type: 'diagnosed', worker });
    });
  }

  /** What a worker does that does not listen; answered by `lookedAround`. */
  lookAround(worker: number): void {
    void whatIsSeenOf(this.#workers.get(worker)?.pid).then((seen) => {
      this.#options.dispatch({ type: 'lookedAround', worker, seen });
    });
  }

  /** Its heirs are told first: it must know them when it looks at its connections. */
  drain(worker: number, { emptyQueue, windowMs, spreadMs, reason }: DrainOrder, succession: Succession): void {
    const handle = this.#workers.get(worker);
    if (handle === undefined) {
      this.programs?.forget(worker);
      return;
    }
    if (handle.isProgram) {
      handle.signal('SIGTERM');
      return;
    }
    if (handle.plain) {
      handle.disconnect();
      return;
    }
    const { shutdownMessage: sayShutdown } = handle.release.config;
    const begin = (links: number) => {
      // It may have gone while it was connected.
      if (!this.#workers.has(worker)) return;
      this.#leftovers.expect(worker);
      void handle.send({ type: 'drain', emptyQueue, windowMs, spreadMs, reason, heirs: links > 0, sayShutdown });
    };
    const heirs = this.#present(succession.heirs);
    if (heirs.length === 0) begin(0);
    else void this.#links.connect(handle, heirs, succession.addresses).then(begin);
  }

  /** More heirs for one that drains already. */
  link(worker: number, { heirs, addresses }: Succession): void {
    const handle = this.#workers.get(worker);
    if (handle !== undefined) void this.#links.connect(handle, this.#present(heirs), addresses);
  }

  #present(workers: readonly number[]): WorkerHandle[] {
    return workers.flatMap((id) => this.#workers.get(id) ?? []);
  }

  terminate(worker: number): void {
    const handle = this.#workers.get(worker);
    if (handle === undefined) {
      this.programs?.forget(worker);
      return;
    }
    handle.leaving = true;
    const { killTimeoutMs } = handle.release.config;
    const end = () => {
      void handle.send({ type: 'terminate' });
      this.#leftovers.afterwards(worker, killTimeoutMs, () => handle.signal('SIGTERM'));
    };
    const lastFigures = this.#options.observing.leaving(handle, killTimeoutMs / 4);
    if (lastFigures === null) end();
    else void lastFigures.then(end);
  }

  /** @param keepsChildren of one that has not attached, whose release is not known */
  kill(worker: number, keepsChildren: boolean): void {
    const handle = this.#workers.get(worker);
    if (handle !== undefined) handle.signal('SIGKILL');
    else {
      this.#options.takeover?.kill(worker, keepsChildren);
      this.programs?.forget(worker);
    }
    // It may have ended, and be waited for because of those.
    this.leftBehind.kill(worker);
  }

  /** @param under the address of the server that is to accept there, where that is another one */
  adopt(worker: number, { slot, key }: SocketId, under?: AddressKey): void {
    if (slot === null) return;
    const socket = this.#options.custody.find(slot, key);
    const handle = this.#workers.get(worker);
    if (socket === undefined || handle === undefined) return;
    this.#handles.add(handle.send({ type: 'adopt', slot, key, ...(under !== undefined && { under }) }, socket.handle));
  }

  openContested(worker: number, key: AddressKey): void {
    const { custody, listening } = this.#options;
    const handle = this.#workers.get(worker);
    if (handle !== undefined) this.#handles.add(listening.open(custody, handle, key));
  }

  release(worker: number, { slot, key }: SocketId): void {
    if (slot !== null) void this.#workers.get(worker)?.send({ type: 'release', slot, key });
  }

  /** Closes all sockets of custody, once those that are being handed over have been. */
  async closeCustody(): Promise<void> {
    this.#ticketKey.close();
    await this.#handles.settled();
    this.#options.custody.closeAll();
    this.#options.shared.closeAll();
  }

  #heard(handle: WorkerHandle, message: WorkerMessage): void {
    const { custody, shared, listening, dispatch } = this.#options;
    const { worker } = handle.identity;
    switch (message.type) {
      case 'listen':
        this.#handles.add(listening.give(custody, handle, message.seq, message.request));
        break;
      case 'share':
        this.#handles.add(listening.share(shared, handle, message.seq, message.request));
        break;
      case 'opened':
        listening.opened(worker, message.key);
        break;
      case 'bound':
      case 'stayed':
      case 'closed':
      case 'adopted':
        listening.heard(custody, handle.identity, message);
        break;
      case 'able':
        this.#able(handle, message);
        break;
      case 'drained':
        this.#leftovers.settle(worker);
        dispatch({ type: 'drained', worker });
        break;
      case 'released':
        dispatch({ type: 'released', worker, socket: { slot: message.slot, key: message.key } });
        break;
      case 'handedOver':
        this.#links.told(handle.identity, message);
        break;
      case 'linked':
        // The giver hears of the taker over the link itself.
        break;
      case 'unlinked':
      case 'resigned':
        dispatch({ type: message.type, worker });
        break;
      case 'leftover':
        this.#leftovers.told(handle.identity, message);
        break;
      case 'health':
        this.#health.answered(worker, message);
        break;
      case 'attach':
      case 'output':
      case 'mine':
        // Of an orphan, before it is a worker of this supervisor.
        break;
      case 'profiled':
      case 'inspected':
        this.#examinations.answered(worker, message);
        break;
      case 'measured':
        if (this.#workers.has(worker)) this.#options.observing.heard(handle.identity, message);
        break;
      case 'metrics':
        void this.#options.observing.tell(handle, message.seq);
        break;
      case 'stats':
        this.stats.answered(worker, message);
        this.onStats(worker, message);
        break;
    }
  }

  #able(handle: WorkerHandle, { missing, listens }: Extract<WorkerMessage, { type: 'able' }>): void {
    handle.missing = missing;
    handle.plain = !listens;
    const lack = missing.find((what) => what.startsWith(HANDOVER_LACK));
    if (lack !== undefined) this.#links.lack = lack;
    if (missing.length === 0) return;
    const { worker, slot, generation } = handle.identity;
    const hint = 'this version of Node lacks something that holdfast builds on: the application runs without it';
    this.#options.log.logger.warn({ worker, slot, generation, missing, hint }, 'worker lacks something');
  }
}
