/**
 * The supervisor: puts its parts together, and takes requests to the core.
 *
 * Every decision is the core's; what is here is passed on, not weighed.
 */
import { unheldSockets } from '../core/adoption/unheld.js';
import { judgeProbe } from '../core/probes.js';
import { servedSlots, serves } from '../core/standing.js';
import { type AnyEffect, type AnyEvent, initialSupervision } from '../core/supervision.js';
import { mayAttach } from '../core/takeover.js';
import type { Before, SocketId } from '../core/types.js';
import type { Log } from '../logs/logger.js';
import type { SteeringChoice } from '../platform/mode.js';
import type {
  ControlResult,
  ControlTarget,
  DescribeOptions,
  Description,
  InspectOptions,
  LeaveOptions,
  LogFilter,
  LogQuery,
  ProbeAnswer,
  ProbeName,
  ProfileOptions,
  RecentLogs,
  ReloadOptions,
  SupervisorEvent,
  SupervisorStatus,
  UpgradeOptions,
} from '../protocol.js';
import type { Custody } from '../sockets/custody.js';
import type { SharedSockets } from '../sockets/shared.js';
import { makeStreamPair } from '../sockets/stream-pair.js';
import { beforeReload } from './deployments/before-reload.js';
import { whatWouldChange } from './deployments/changes.js';
import { Deployments, type Ready } from './deployments/deployments.js';
import { policyFor } from './deployments/release.js';
import { Releases } from './deployments/releases.js';
import { Effects, isStopping } from './effects.js';
import { EventHub } from './events/event-hub.js';
import { Insight } from './insight.js';
import { Loop } from './loop.js';
import { Observing } from './observe/observing.js';
import { type Progress, Requests, tell } from './requests.js';
import { collectStatus, type StatusExtent } from './status.js';
import type { Started, SupervisorOptions } from './supervisor-options.js';
import { Upgrader, type UpgraderParts } from './upgrade/upgrader.js';
import { type SteeringState, steeringState } from './upkeep/steering-state.js';
import { tidyUp } from './upkeep/tidy.js';
import { Watchers } from './upkeep/watchers.js';
import { boundYoungGeneration } from './upkeep/young-generation.js';
import { Examinations } from './workers/examinations.js';
import { Listening } from './workers/listening.js';
import { Workforce } from './workers/workforce.js';

const SIZE_LIMIT = 256;
/** Of the log: all that is remembered. */
const MOST_LINES = 100_000;

export class Supervisor implements ControlTarget {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #loop: Loop;
  readonly #custody: Custody;
  readonly #shared: SharedSockets;
  readonly #workforce: Workforce;
  readonly #listening: Listening;
  readonly #effects: Effects;
  readonly #releases: Releases;
  readonly #deployments: Deployments;
  readonly #watchers: Watchers;
  readonly #requests = new Requests();
  readonly #events: EventHub;
  readonly #insight: Insight;
  readonly #upgrader: Upgrader;
  readonly observing: Observing;
  readonly #startedAt: number;
  #begun = false;
  /** How often the core has come to rest. */
  #turns = 0;
  readonly #fromBefore: SocketId[] = [];
  /** Its workers are left to another supervisor. */
  hasLeft = false;
  #announce: (started: Started) => void = () => {};
  #end: (reason: string | null) => void = () => {};

  /** Resolves when all slots had their first try and at least one is ready. */
  readonly started: Promise<Started>;
  /** Resolves when nothing is left to do; with the reason, where it is a failure. */
  readonly ended: Promise<string | null>;

  constructor(options: SupervisorOptions) {
    const { release, log, listenMode, native } = options;
    const { steered } = options.steering;
    this.#options = options;
    this.#startedAt = performance.now() - (options.upgrade.arrival?.state.upgrade.uptimeMs ?? 0);
    this.#log = log;
    this.#releases = new Releases(release, options.reloadConfig, log);
    const size = release.config.instances;
    const supervision = initialSupervision({ size, listenMode, steered, policy: policyFor(release) });
    this.#loop = new Loop(supervision, {
      perform: (effect) => this.#effects.perform(effect),
      subscribers: [
        () => {
          this.#turns += 1;
        },
        (settled) => this.#watchers.review(settled),
        // Before events are told: whether they are news.
        (settled) => this.observing.review(settled),
        (settled) => this.#events.review(settled),
        (settled) => this.#insight.review(settled),
        (settled) => options.onSettled?.(settled),
        (settled) => options.takeover?.keep(settled, this.#releases.of(settled, settled.stable).config.instances),
      ],
      onFault: (error, during) => this.#failed(error, during),
    });
    this.#events = new EventHub(release.config.name, () => this.#loop.state);
    this.#deployments = new Deployments({
      read: () => this.#releases.next(),
      letGo: (release) => this.#releases.letGo(release, this.#loop.state),
      sizeOf: (release) => this.#releases.sizeOf(release, this.#loop.state),
      prepare: (release, progress, signal) => beforeReload(release, { progress, log, signal }),
      dispatch: (ready, progress) => this.#deploy(ready, progress),
      onRefused: (type, reason) => log.logger.error({ reason }, `${type} refused`),
    });
    const dispatch = this.#loop.dispatch.bind(this.#loop);
    const takeover = options.takeover ?? null;
    const listening = new Listening(dispatch, log, takeover?.settled);
    this.#listening = listening;
    this.#custody = options.openCustody({
      onWaiting: (delay) => listening.delayed(delay),
      onInherited: ({ slot, key }) => this.#inherited({ slot, key }),
    });
    this.#shared = options.openShared({ onInherited: ({ slot, key }) => this.#inherited({ slot, key }) });
    const { name } = release.config;
    const custody = this.#custody;
    const openStreamPair = () => makeStreamPair(native, options.runtimeDir);
    const { firstWorker } = options;
    const shared = this.#shared;
    const isRestarting = () => this.#loop.state.phase === 'restarting';
    const examinations = new Examinations(options.runtimeDir, name);
    const { metricsNames } = release.config;
    this.observing = new Observing(
      {
        ...{ log, names: metricsNames, outline: () => this.outline() },
        workers: () => workforce.workers,
      },
      options.upgrade.arrival?.state.upgrade.observed,
    );
    const { observing } = this;
    const workforce: Workforce = new Workforce({
      ...{ name, log, custody, shared, listening, openStreamPair, dispatch, isRestarting, firstWorker, examinations },
      ...{ observing, takeover, attachAt: options.attachAt ?? null, native, runtimeDir: options.runtimeDir },
    });
    this.#workforce = workforce;
    this.#insight = new Insight({
      ...{ releases: this.#releases, examinations },
      state: () => this.#loop.state,
      workers: () => workforce.workers,
    });
    this.#watchers = new Watchers({
      ...{ release, releases: this.#releases, workforce, custody, native, log, dispatch },
      state: () => this.#loop.state,
    });
    this.#effects = new Effects({
      ...{ loop: this.#loop, workforce, custody, shared, releases: this.#releases, requests: this.#requests },
      ...{ canary: this.#watchers.canary, events: this.#events, log, takeover },
      onReport: (message, fields) => {
        const { state } = this.#loop;
        options.hooks?.heard(message, fields, state.stable, () => this.#releases.of(state, state.stable));
      },
      closeWatchers: () => {
        this.#watchers.close();
        this.#deployments.close('the supervisor stops');
      },
      announce: () => this.#announce(this.startedNow()),
      tidyUp: () => this.#tidyUp(),
      end: (reason) => {
        this.#insight.tidy();
        workforce.programs?.close();
        this.#end(reason);
      },
    });
    this.#upgrader = new Upgrader(options.upgrade, {
      state: () => this.#loop.state,
      turn: () => this.#turns,
      busy: () => this.#busy(),
      workers: () => workforce.workers.values(),
      answers: async (worker) => (await workforce.stats.ask(worker)) !== null,
      pass: () => this.#pass(),
    });
    this.started = new Promise((resolve) => {
      this.#announce = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** The name is its own by then. */
  start(): void {
    this.#insight.tidy();
    this.#upgrader.tidy();
    const { takeover, upgrade } = this.#options;
    const passed = upgrade.arrival?.state.upgrade;
    if (passed !== undefined) this.#workforce.goOnWith(passed);
    if (takeover?.before) this.#insight.goOnWith(takeover.before, passed?.history ?? []);
    const kept = this.#fromBefore
      .splice(0)
      .map((socket): AnyEvent => ({ type: 'socketOpened', socket, listened: true }));
    this.#begun = true;
    const dispatch = (...events: AnyEvent[]) => this.#loop.dispatch(...events);
    const parts = {
      ...{ custody: this.#custody, shared: this.#shared, dispatch },
      onHeld: (key: string, worker: number) => this.#listening.holds(key, worker),
      mayAttach: (worker: number) => mayAttach(this.#loop.state, worker),
    };
    if (takeover) takeover.begin(parts, kept);
    else dispatch(...kept);
    this.#loop.dispatch({ type: 'start' });
  }

  /** Custody is given the first of them while it is made. */
  #inherited(socket: SocketId): void {
    if (this.#begun) this.#loop.dispatch({ type: 'socketOpened', socket, listened: true });
    else this.#fromBefore.push(socket);
  }

  status(figures = false): Promise<SupervisorStatus> {
    return this.#statusOf(figures ? 'figures' : 'all');
  }

  /** As far as no worker has to be asked. */
  outline(): Promise<SupervisorStatus> {
    return this.#statusOf('outline');
  }

  #statusOf(extent: StatusExtent): Promise<SupervisorStatus> {
    const { release, version, listenMode, listenModeReason } = this.#options;
    const { state } = this.#loop;
    const present = this.#releases.of(state, state.target);
    return collectStatus(
      {
        state,
        name: release.config.name,
        version,
        script: present.script,
        exec: present.config.exec,
        release: { folder: present.cwd, loadedAtMs: present.loadedAtMs },
        startedAt: this.#startedAt,
        listenMode,
        listenModeReason,
        steering: this.#steeringNow(),
        affinity: release.config.affinity,
        weights: this.#watchers.steering?.programs.weights ?? new Map(),
        custody: this.#custody,
        shared: this.#shared,
        workers: this.#workforce.workers,
        stats: this.#workforce.stats,
        canaryFigures: this.#watchers.canary.figures,
        handover: { on: present.config.handover === 'on', ...this.#workforce.handover },
        cutOff: this.#workforce.cutOff,
        upgrade: this.#upgrader.status,
      },
      extent,
    );
  }

  profile(options: ProfileOptions, progress: Progress, gone: AbortSignal): Promise<ControlResult> {
    return this.#insight.profile(options, progress, gone);
  }

  inspect(options: InspectOptions, progress: Progress, gone: AbortSignal): Promise<ControlResult> {
    return this.#insight.inspect(options, progress, gone);
  }

  async describe(options: DescribeOptions): Promise<Description> {
    return this.#insight.describe(options, await this.status());
  }

  /** As things are at this moment. */
  probe(name: ProbeName): ProbeAnswer {
    return judgeProbe(name, this.#loop.state);
  }

  reload(progress: Progress, { canary, dryRun = false }: ReloadOptions = {}): Promise<ControlResult> {
    if (dryRun) return whatWouldChange(this.#releases, this.#loop.state);
    if (canary !== undefined && this.#loop.state.size >= SIZE_LIMIT) {
      const reason = `cannot start a canary beside ${SIZE_LIMIT} workers: there is no slot left for it`;
      this.#log.logger.error({ reason }, 'reload refused');
      return Promise.resolve({ ok: false, message: 'failed', reason });
    }
    // Beside it: a reload replaces workers, and not this program.
    void this.#upgrader.tellInstalled((line) => tell(progress, line));
    return this.#deployments.deploy({ type: 'reload', canary: canary ?? null }, progress);
  }

  promote(progress: Progress): Promise<ControlResult> {
    return this.#requests.open('promoted', progress, (request) => this.#loop.dispatch({ type: 'promote', request }));
  }

  abort(progress: Progress): Promise<ControlResult> {
    const cancelled = this.#deployments.cancel('aborted by hand');
    const { state } = this.#loop.state.rollout;
    if (cancelled && state !== 'running' && state !== 'rollingBack') {
      return Promise.resolve({ ok: true, message: 'taken back', reason: null });
    }
    return this.#requests.open('taken back', progress, (request) => this.#loop.dispatch({ type: 'abort', request }));
  }

  restart(progress: Progress): Promise<ControlResult> {
    return this.#deployments.deploy({ type: 'restart', canary: null }, progress);
  }

  scale(change: string, progress: Progress): Promise<ControlResult> {
    const present = this.#loop.state.size;
    const wanted = /^[+-]/.test(change) ? present + Number(change) : Number(change);
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > SIZE_LIMIT) {
      const now = present === 1 ? 'is 1 slot' : `are ${present} slots`;
      const reason = `cannot scale by "${change}": there ${now}, and 1 to ${SIZE_LIMIT} are possible`;
      this.#log.logger.warn({ reason }, 'scale refused');
      return Promise.resolve({ ok: false, message: 'failed', reason });
    }
    return this.#requests.open(`scaled to ${wanted}`, progress, (request) =>
      this.#loop.dispatch({ type: 'scale', request, size: wanted }),
    );
  }

  stop(progress: Progress): Promise<ControlResult> {
    return this.#requests.open('stopped', progress, (request) => this.#loop.dispatch({ type: 'stop', request }));
  }

  upgrade(progress: Progress, options?: UpgradeOptions): Promise<ControlResult> {
    return this.#upgrader.upgrade((line) => tell(progress, line), options);
  }

  /** `ended` resolves right before it does, and `hasLeft` says why. */
  async leave(progress: Progress, { dryRun = false }: LeaveOptions = {}): Promise<ControlResult> {
    const { state } = this.#loop;
    const nobody = () =>
      unheldSockets(this.#loop.sockets).map(({ key }) => `a socket of ${key}, which no worker holds`);
    const go = () => {
      this.#loop.halt();
      this.#watchers.close();
      this.#deployments.close('the supervisor leaves');
      this.hasLeft = true;
    };
    const lack = this.#options.leaveLack;
    const on: Progress = (line) => tell(progress, line);
    const reason = lack ?? (await this.#upgrader.leave(on, nobody, dryRun ? undefined : go));
    if (reason === null && !dryRun) setImmediate(() => this.#end(null));
    if (reason !== null) this.#log.logger.error({ reason }, 'leaving the workers to another supervisor refused');
    const release = this.#releases.of(state, state.stable);
    return { ok: reason === null, message: reason === null ? 'left' : 'failed', reason, ...(dryRun && { release }) };
  }

  /** What the core does not know of, and another program could not go on with. */
  #busy(): string[] {
    return [
      ...(this.#deployments.isBusy ? ['a reload that is being prepared'] : []),
      ...(this.#insight.isBusy ? ['a profile or an inspector'] : []),
      ...(this.#options.hooks?.isBusy ? ['a hook that runs'] : []),
      ...(this.#options.isAsked() ? ['an answer to who has asked'] : []),
    ];
  }

  #pass(): ReturnType<UpgraderParts['pass']> {
    const { takeover, version, passable } = this.#options;
    const { state } = this.#loop;
    const { instances } = this.#releases.of(state, state.stable).config;
    const snapshot = takeover?.snapshotOf(state, instances, this.#custody);
    if (snapshot === undefined) throw new Error('it does not know its workers');
    const { reason: _, ...handover } = this.#workforce.handover;
    return {
      ...snapshot,
      upgrade: {
        version,
        sockets: [...this.#custody.passable, ...this.#shared.passable],
        ...passable(),
        uptimeMs: performance.now() - this.#startedAt,
        history: this.#insight.records,
        logs: this.#log.recent({ lines: MOST_LINES, follow: false }).lines,
        handover,
        cutOff: this.#workforce.cutOff,
        observed: this.observing.toJSON(),
      },
    };
  }

  /** What the supervisor before knew, where workers of it were found. */
  get before(): Pick<Before, 'slots' | 'rollout'> | null {
    return this.#options.takeover?.before ?? null;
  }

  stopNow(): void {
    this.#workforce.leftBehind.killAll();
    this.#loop.dispatch({ type: 'stopNow' });
  }

  get stopping(): boolean {
    return isStopping(this.#loop.state);
  }

  followLogs(onLine: (line: string) => void, filter: LogFilter = {}): () => void {
    return this.#log.follow(onLine, filter);
  }

  recentLogs(query: LogQuery): RecentLogs {
    return this.#log.recent(query);
  }

  followEvents(onEvent: (event: SupervisorEvent) => void): () => void {
    return this.#events.follow(onEvent);
  }

  #deploy({ type, canary, policy, size }: Ready, progress: Progress): Promise<ControlResult> {
    if (canary !== null && !this.#isExact) {
      const hint = 'without steering the kernel shares equally: the share of the canary is approximate';
      this.#log.logger.warn({ hint }, 'canary share');
      progress({ type: 'progress', message: 'canary share', fields: { hint } });
    }
    return this.#requests.open(type, progress, (request) =>
      this.#loop.dispatch(
        type === 'reload' ? { type, request, policy, size, canary } : { type, request, policy, size },
      ),
    );
  }

  /** Whether shares of connections are what they are said to be. */
  get #isExact(): boolean {
    return this.#steeringNow().exact;
  }

  #steeringNow(): SteeringState {
    const { state, sockets } = this.#loop;
    const failure = this.#watchers.steering?.programs.failure ?? null;
    const missing = (worker: number) => this.#workforce.workers.get(worker)?.missing ?? [];
    return steeringState({ choice: this.#choice, failure, state, sockets, missing });
  }

  get #choice(): SteeringChoice {
    const [address] = this.#options.takeover?.unsteered ?? [];
    if (address === undefined) return this.#options.steering;
    return { steered: false, reason: `${address} was taken over, and the order of its sockets is not known` };
  }

  startedNow(): Started {
    const { state } = this.#loop;
    const { name } = this.#options.release.config;
    const serving = state.workers.filter(serves);
    const addresses = this.#custody
      .list()
      .filter(({ key }) => serving.some(({ listening }) => listening.includes(key)));
    return { name, size: state.size, ready: servedSlots(state), addresses };
  }

  /** What has gone wrong is told, and costs nothing but itself: the loop goes on. */
  #failed(error: unknown, during: AnyEffect | AnyEvent | null): void {
    const what = during === null ? null : 'do' in during ? during.do : during.type;
    this.#log.logger.error({ err: error, during: what }, 'fault in the supervisor');
    // A request that the core has failed at.
    if (during !== null && 'type' in during && 'request' in during) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#requests.answer(during.request, false, `a fault in the supervisor: ${reason}`);
    }
  }

  #tidyUp(): void {
    const { native } = this.#options;
    setImmediate(() => {
      tidyUp(native.ok ? native.native : null);
      boundYoungGeneration();
    });
  }
}
