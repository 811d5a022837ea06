/**
 * The supervisor: performs the core's effects on processes and sockets, and brings back what it observes.
 *
 * Every decision is the core's; what is here is done, not weighed.
 */
import type { LoadedConfig } from '../config/load.js';
import { initialState } from '../core/state.js';
import type { Effect, State } from '../core/types.js';
import type { Log } from '../logs/logger.js';
import type { ControlResult, ControlTarget, ListenMode, SupervisorStatus, WorkerMessage } from '../protocol.js';
import type { Custody } from '../sockets/custody.js';
import { type BindDelay, Listening } from './listening.js';
import { Loop } from './loop.js';
import { policyFor, type Release, resolveRelease } from './release.js';
import { type Progress, Requests } from './requests.js';
import { collectStatus } from './status.js';
import { tidyUp } from './tidy.js';
import { WorkerHandle } from './worker-handle.js';
import { WorkerStats } from './worker-stats.js';

/** Handles that are on their way to a worker must stay open until they are written; one that is stuck must not hold up a stop. */
const PENDING_HANDLES_MS = 1_000;
const SIZE_LIMIT = 256;

export interface SupervisorOptions {
  readonly release: Release;
  readonly reloadConfig: () => Promise<LoadedConfig>;
  readonly log: Log;
  readonly version: string;
  readonly listenMode: ListenMode;
  readonly listenModeReason: string;
  /** Makes custody; it is told whom to ask when an address has to be waited for. */
  readonly openCustody: (onWaiting: (delay: BindDelay) => void) => Custody;
}

export class Supervisor implements ControlTarget {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #loop: Loop;
  readonly #custody: Custody;
  readonly #listening: Listening;
  readonly #requests = new Requests();
  readonly #stats = new WorkerStats();
  readonly #releases = new Map<number, Release>();
  readonly #workers = new Map<number, WorkerHandle>();
  readonly #handlesUnderWay = new Set<Promise<void>>();
  readonly #startedAt = performance.now();
  #newest: Release;
  #custodyClosed: Promise<void> = Promise.resolve();
  #lastRelease = 1;
  #announce: () => void = () => {};
  #end: (reason: string | null) => void = () => {};

  /** Resolves when all slots had their first try and at least one is ready. */
  readonly started: Promise<void>;
  /** Resolves when nothing is left to do; with the reason, where it is a failure. */
  readonly ended: Promise<string | null>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#newest = options.release;
    this.#releases.set(options.release.id, options.release);
    this.#loop = new Loop(
      initialState({
        size: options.release.config.instances,
        listenMode: options.listenMode,
        policy: policyFor(options.release),
      }),
      (effect) => this.#perform(effect),
    );
    this.#listening = new Listening((event) => this.#loop.dispatch(event), this.#log);
    this.#custody = options.openCustody((delay) => this.#listening.delayed(delay));
    this.started = new Promise((resolve) => {
      this.#announce = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  start(): void {
    this.#loop.dispatch({ type: 'start' });
  }

  status(): Promise<SupervisorStatus> {
    return collectStatus({
      state: this.#loop.state,
      name: this.#newest.config.name,
      version: this.#options.version,
      script: this.#newest.script,
      startedAt: this.#startedAt,
      listenMode: this.#options.listenMode,
      listenModeReason: this.#options.listenModeReason,
      custody: this.#custody,
      workers: this.#workers,
      stats: this.#stats,
    });
  }

  reload(progress: Progress): Promise<ControlResult> {
    return this.#renew('reload', 'reloaded', progress);
  }

  restart(progress: Progress): Promise<ControlResult> {
    return this.#renew('restart', 'restarted', progress);
  }

  scale(change: string, progress: Progress): Promise<ControlResult> {
    const present = this.#loop.state.size;
    const wanted = /^[+-]/.test(change) ? present + Number(change) : Number(change);
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > SIZE_LIMIT) {
      const reason = `cannot scale to ${change}: from ${present} workers that is ${wanted}, and 1 to ${SIZE_LIMIT} are possible`;
      return Promise.resolve({ ok: false, message: 'failed', reason });
    }
    return this.#requests.open(`scaled to ${wanted}`, progress, (request) =>
      this.#loop.dispatch({ type: 'scale', request, size: wanted }),
    );
  }

  stop(progress: Progress): Promise<ControlResult> {
    return this.#requests.open('stopped', progress, (request) => this.#loop.dispatch({ type: 'stop', request }));
  }

  stopNow(): void {
    this.#loop.dispatch({ type: 'stopNow' });
  }

  get stopping(): boolean {
    const { phase } = this.#loop.state;
    return phase === 'stopping' || phase === 'stopped';
  }

  followLogs(onLine: (line: string) => void): () => void {
    return this.#log.follow(onLine);
  }

  async #renew(type: 'reload' | 'restart', done: string, progress: Progress): Promise<ControlResult> {
    let release: Release;
    try {
      const { config, warnings } = await this.#options.reloadConfig();
      for (const warning of warnings) this.#log.logger.warn({ warning }, 'configuration');
      this.#lastRelease += 1;
      release = await resolveRelease(this.#lastRelease, config);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.logger.error({ reason }, `${type} refused`);
      return { ok: false, message: 'failed', reason };
    }
    this.#warnOfFixed(release);
    const before = this.#newest.config.instances;
    const { instances } = release.config;
    this.#newest = release;
    this.#releases.set(release.id, release);
    // A size that came by `scale` stays, unless the configuration itself has changed.
    const size = instances === before ? null : instances;
    return this.#requests.open(done, progress, (request) =>
      this.#loop.dispatch({ type, request, policy: policyFor(release), size }),
    );
  }

  /** Some settings belong to the supervisor itself and stay as they were at its start. */
  #warnOfFixed(release: Release): void {
    const { config } = this.#options.release;
    for (const option of ['name', 'listenMode', 'logFile', 'logFormat', 'logLevel'] as const) {
      if (config[option] === release.config[option]) continue;
      this.#log.logger.warn({ option }, 'this setting changes only when the supervisor is started anew');
    }
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'spawn':
        return this.#spawn(effect);
      case 'drain':
        return this.#drain(effect.worker);
      case 'terminate':
        return this.#workers.get(effect.worker)?.signal('SIGTERM');
      case 'kill':
        return this.#workers.get(effect.worker)?.signal('SIGKILL');
      case 'adopt':
        return this.#adopt(effect);
      case 'release': {
        const { slot, key } = effect.socket;
        if (slot !== null) void this.#workers.get(effect.worker)?.send({ type: 'release', slot, key });
        return;
      }
      case 'closeSocket':
        return this.#custody.release(effect.socket.slot, effect.socket.key);
      case 'closeCustody':
        this.#custodyClosed = this.#closeCustody();
        return;
      case 'forgetGeneration':
        this.#forgetReleases();
        // A generation has gone: a rollout is over, and nothing is urgent.
        setImmediate(tidyUp);
        return;
      case 'answer':
        return this.#requests.answer(effect.request, effect.ok, effect.reason);
      case 'announceStart':
        return this.#announce();
      case 'end':
        this.#loop.close();
        // Whoever starts the next one at once must find the addresses free.
        void this.#custodyClosed.then(() => this.#end(effect.reason));
        return;
      case 'report':
        this.#log.logger[effect.level](effect.fields, effect.message);
        if (effect.level !== 'debug') this.#requests.progress(effect.message, effect.fields);
        return;
    }
  }

  #spawn({ worker, slot, generation }: Extract<Effect, { do: 'spawn' }>): void {
    const { name } = this.#options.release.config;
    const exited = (code: number | null, signal: string | null, lastLines: readonly string[]) => {
      this.#workers.delete(worker);
      this.#loop.dispatch({ type: 'exited', worker, code, signal, lastLines, chance: Math.random() });
    };
    try {
      const release = this.#releaseOf(generation);
      const handle: WorkerHandle = new WorkerHandle({ worker, slot, generation, name }, release, this.#log, {
        onMessage: (message) => this.#heard(handle, message),
        onSaidReady: () => this.#loop.dispatch({ type: 'saidReady', worker }),
        onDisconnected: () => this.#loop.dispatch({ type: 'disconnected', worker }),
        onExited: exited,
      });
      this.#workers.set(worker, handle);
      if (handle.pid !== undefined) this.#loop.dispatch({ type: 'spawned', worker, pid: handle.pid });
    } catch (error) {
      exited(null, null, [error instanceof Error ? error.message : String(error)]);
    }
  }

  #heard(handle: WorkerHandle, message: WorkerMessage): void {
    const { worker } = handle.identity;
    switch (message.type) {
      case 'listen':
        this.#track(this.#listening.give(this.#custody, handle, message.seq, message.request));
        return;
      case 'bound':
      case 'closed':
        return this.#loop.dispatch({ type: message.type, worker, key: message.key });
      case 'drained':
        return this.#loop.dispatch({ type: 'drained', worker });
      case 'stats':
        return this.#stats.answered(message);
    }
  }

  #drain(worker: number): void {
    const { state } = this.#loop;
    const generation = state.workers.find((candidate) => candidate.id === worker)?.generation ?? state.target;
    const timeoutMs = this.#releaseOf(generation).config.drainTimeoutMs;
    void this.#workers.get(worker)?.send({ type: 'drain', timeoutMs, emptyQueue: this.stopping });
  }

  #adopt({ worker, socket }: Extract<Effect, { do: 'adopt' }>): void {
    const { slot, key } = socket;
    if (slot === null) return;
    const held = this.#custody.find(slot, key);
    const handle = this.#workers.get(worker);
    if (held !== undefined && handle !== undefined) this.#track(handle.send({ type: 'adopt', slot, key }, held.handle));
  }

  /** Remembers what must be written before the handles in custody may be closed. */
  #track(sending: Promise<void>): void {
    this.#handlesUnderWay.add(sending);
    void sending.finally(() => this.#handlesUnderWay.delete(sending));
  }

  async #closeCustody(): Promise<void> {
    if (this.#handlesUnderWay.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise((resolve) => {
        timer = setTimeout(resolve, PENDING_HANDLES_MS);
      });
      await Promise.race([Promise.allSettled(this.#handlesUnderWay), patience]);
      clearTimeout(timer);
    }
    this.#custody.closeAll();
  }

  #releaseOf(generation: number): Release {
    const { policies } = this.#loop.state;
    const release = this.#releases.get(policies[generation]?.release ?? Number.NaN);
    if (release === undefined) throw new Error(`generation ${generation} has no release`);
    return release;
  }

  #forgetReleases(): void {
    const { state } = this.#loop;
    const needed = new Set(releasesIn(state));
    needed.add(this.#newest.id);
    for (const id of this.#releases.keys()) if (!needed.has(id)) this.#releases.delete(id);
  }
}

function releasesIn(state: State): (number | undefined)[] {
  return [
    ...Object.values(state.policies).map((policy) => policy.release),
    state.queuedReload?.policy.release,
    state.restart?.policy.release,
  ];
}
