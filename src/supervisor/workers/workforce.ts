/** The workers, and what is asked of them: does what the core decides, one method an effect. */

import type { Effect } from '../../core/state/effects.js';
import type { SocketId } from '../../core/state/types.js';
import { DIAGNOSIS_MS } from '../../core/worker/condition.js';
import type { AddressKey, SupervisorMessage } from '../../protocol/worker.js';
import type { Release } from '../deployments/release.js';
import type { Programs } from '../programs/programs.js';
import type { PassedOn } from '../upgrade/passed-state.js';
import { HandlesUnderWay } from './handles-under-way.js';
import { type HandoverFigures, Links } from './links.js';
import { whatIsSeenOf } from './listening/look-around.js';
import type { WorkerHandle } from './process/handle.js';
import { ProcessGroups } from './process/process-groups.js';
import type { Examinations } from './questions/examinations.js';
import { hangStack } from './questions/hang-stack.js';
import { WorkerHealth } from './questions/health.js';
import { Leftovers } from './questions/leftovers.js';
import { type Stats, WorkerStats } from './questions/stats.js';
import { Reports } from './reports.js';
import { Spawner } from './spawner.js';
import { TicketKey } from './ticket-key.js';
import type { WorkforceOptions } from './workforce-options.js';

type DrainOrder = Pick<
  Extract<SupervisorMessage, { type: 'drain' }>,
  'emptyQueue' | 'windowMs' | 'spreadMs' | 'reason'
>;
/** Who takes over the connections of a draining worker, and of which addresses. */
type Succession = Pick<Extract<Effect, { do: 'link' }>, 'recipients' | 'addresses'>;

export class Workforce {
  readonly stats = new WorkerStats();
  /** Told of every answer: each is a sign of life as well. */
  onStats: (worker: number, stats: Stats) => void = () => {};
  readonly leftBehind: ProcessGroups;
  readonly #ticketKey = new TicketKey((key) => {
    for (const handle of this.#workers.values()) void handle.send({ type: 'ticketKey', key });
  });
  readonly #options: WorkforceOptions;
  readonly #workers = new Map<number, WorkerHandle>();
  readonly #handles = new HandlesUnderWay();
  readonly #leftovers: Leftovers;
  readonly #links: Links;
  readonly #health: WorkerHealth;
  readonly #examinations: Examinations;
  readonly #spawner: Spawner;

  constructor(options: WorkforceOptions) {
    this.#options = options;
    this.leftBehind = new ProcessGroups(options.log);
    this.#examinations = options.examinations;
    this.#health = new WorkerHealth(options.dispatch);
    this.#leftovers = new Leftovers(options.log);
    this.#links = new Links(options.openStreamPair, options.log);
    const reports = new Reports(options, {
      ...{ workers: this.#workers, stats: this.stats, handles: this.#handles, leftovers: this.#leftovers },
      ...{ links: this.#links, health: this.#health },
      onStats: (worker, stats) => this.onStats(worker, stats),
    });
    this.#spawner = new Spawner(options, {
      ...{ workers: this.#workers, leftBehind: this.leftBehind, ticketKey: this.#ticketKey },
      heard: (handle, message) => reports.heard(handle, message),
      forget: (worker) => this.#forget(worker),
    });
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

  /** Workers that are no Node; null as long as there are none. */
  get programs(): Programs | null {
    return this.#spawner.programs;
  }

  spawn(effect: Extract<Effect, { do: 'spawn' }>, release: Release): void {
    this.#spawner.spawn(effect, release);
  }

  /** One that has come from a supervisor that is gone. @throws where it has gone meanwhile */
  takeIn(effect: Extract<Effect, { do: 'takeIn' }>, release: Release): void {
    this.#spawner.takeIn(effect, release);
  }

  /** All that were to be taken over are settled. @param held those who are not to accept yet what they ask for */
  endTakeover(held: readonly number[]): void {
    for (const worker of held) {
      const handle = this.#workers.get(worker);
      if (handle !== undefined) handle.held = true;
    }
    this.#options.takeover?.end();
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

  /** Its recipients are told first: it must know them when it looks at its connections. */
  drain(worker: number, { emptyQueue, windowMs, spreadMs, reason }: DrainOrder, succession: Succession): void {
    const handle = this.#begun(worker);
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
      const recipients = links > 0;
      const order = { emptyQueue, windowMs, spreadMs, reason, recipients, heirs: recipients, sayShutdown };
      void handle.send({ type: 'drain', ...order });
    };
    const recipients = this.#present(succession.recipients);
    if (recipients.length === 0) begin(0);
    else void this.#links.connect(handle, recipients, succession.addresses).then(begin);
  }

  /** More recipients for one that drains already. */
  link(worker: number, { recipients, addresses }: Succession): void {
    const handle = this.#workers.get(worker);
    if (handle !== undefined) void this.#links.connect(handle, this.#present(recipients), addresses);
  }

  #present(workers: readonly number[]): WorkerHandle[] {
    return workers.flatMap((id) => this.#workers.get(id) ?? []);
  }

  terminate(worker: number): void {
    const handle = this.#begun(worker);
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
    const handle = this.#begun(worker);
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

  /** Whoever is to end must have begun: it is its exit that the core waits for. */
  #begun(worker: number): WorkerHandle | undefined {
    this.#spawner.beginNow(worker);
    return this.#workers.get(worker);
  }

  /** It has exited. */
  #forget(worker: number): void {
    this.#links.gone(worker);
    this.#options.listening.forget(worker);
    this.#leftovers.forget(worker);
    this.#health.forget(worker);
    this.#examinations.forget(worker);
    this.#options.observing.gone(worker);
  }
}
