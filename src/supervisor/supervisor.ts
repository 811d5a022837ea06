/**
 * The supervisor: puts its parts together, begins with them, and is the one to whom whoever asks turns.
 *
 * Every decision is the core's; what is here is passed on, not weighed.
 */
import type { Before, SocketId } from '../core/state/types.js';
import { type AnyEffect, type AnyEvent, initialSupervision } from '../core/supervision.js';
import { mayAttach } from '../core/worker/takeover.js';
import type { ProbeAnswer, ProbeName } from '../protocol/admin.js';
import type {
  ControlResult,
  ControlTarget,
  DescribeOptions,
  Description,
  InspectOptions,
  LeaveOptions,
  ProfileOptions,
  ReloadOptions,
  UpgradeOptions,
} from '../protocol/control.js';
import type { SupervisorEvent } from '../protocol/events.js';
import type { LogFilter, LogQuery, RecentLogs } from '../protocol/logs.js';
import type { SupervisorStatus } from '../protocol/status.js';
import type { Custody } from '../sockets/custody/custody.js';
import type { SharedSockets } from '../sockets/custody/shared.js';
import { makeStreamPair } from '../sockets/handles/stream-pair.js';
import { Commands } from './commands.js';
import { policyFor } from './deployments/release.js';
import { Releases } from './deployments/releases.js';
import { Effects, isStopping } from './effects.js';
import { EventHub } from './events/event-hub.js';
import { Insight } from './insight/insight.js';
import { Overview } from './insight/overview.js';
import { Loop } from './loop.js';
import { Observing } from './observe/observing.js';
import { type Progress, Requests } from './requests.js';
import type { Started, SupervisorOptions } from './supervisor-options.js';
import { Replacement } from './upgrade/replacement.js';
import { tidySoon } from './upkeep/tidy.js';
import { Watchers } from './upkeep/watchers.js';
import { Listening } from './workers/listening/listening.js';
import { Examinations } from './workers/questions/examinations.js';
import { Workforce } from './workers/workforce.js';

export class Supervisor implements ControlTarget {
  readonly #options: SupervisorOptions;
  readonly #loop: Loop;
  readonly #custody: Custody;
  readonly #shared: SharedSockets;
  readonly #workforce: Workforce;
  readonly #listening: Listening;
  readonly #effects: Effects;
  readonly #watchers: Watchers;
  readonly #requests = new Requests();
  readonly #events: EventHub;
  readonly #insight: Insight;
  readonly #overview: Overview;
  readonly #commands: Commands;
  readonly #replacement: Replacement;
  readonly observing: Observing;
  #begun = false;
  readonly #fromBefore: SocketId[] = [];
  #announce: (started: Started) => void = () => {};
  #end: (reason: string | null) => void = () => {};

  /** Resolves when all slots had their first try and at least one is ready. */
  readonly started: Promise<Started>;
  /** Resolves when nothing is left to do; with the reason, where it is a failure. */
  readonly ended: Promise<string | null>;

  constructor(options: SupervisorOptions) {
    const { release, log, listenMode, native, runtimeDir, firstWorker, takeover = null, attachAt = null } = options;
    const { steered } = options.steering;
    const { name, instances: size, metricsNames: names } = release.config;
    const { arrival } = options.upgrade;
    this.#options = options;
    const startedAt = performance.now() - (arrival?.state.upgrade.uptimeMs ?? 0);
    const releases = new Releases(release, options.reloadConfig, log);
    const loop = new Loop(initialSupervision({ size, listenMode, steered, policy: policyFor(release) }), {
      perform: (effect) => this.#effects.perform(effect),
      subscribers: [
        (settled) => this.#watchers.review(settled),
        // Before events are told: whether they are news.
        (settled) => this.observing.review(settled),
        (settled) => this.#events.review(settled),
        (settled) => this.#insight.review(settled),
        (settled) => options.onSettled?.(settled),
        (settled) => takeover?.keep(settled, releases.of(settled, settled.stable).config.instances),
      ],
      onFault: (error, during) => this.#failed(error, during),
    });
    this.#loop = loop;
    const state = () => loop.state;
    const dispatch = loop.dispatch.bind(loop);
    const events = new EventHub(name, state);
    this.#events = events;
    const listening = new Listening(dispatch, log, takeover?.settled);
    this.#listening = listening;
    const custody = options.openCustody({
      onWaiting: (delay) => listening.delayed(delay),
      onInherited: ({ slot, key }) => this.#inherited({ slot, key }),
    });
    this.#custody = custody;
    const shared = options.openShared({ onInherited: ({ slot, key }) => this.#inherited({ slot, key }) });
    this.#shared = shared;
    const examinations = new Examinations(runtimeDir, name);
    const workers = () => workforce.workers;
    const observing = new Observing(
      { log, names, outline: () => this.outline(), state, workers },
      arrival?.state.upgrade.observed,
    );
    this.observing = observing;
    const workforce: Workforce = new Workforce({
      ...{ name, log, custody, shared, listening, dispatch, firstWorker, examinations },
      ...{ observing, takeover, attachAt, native, runtimeDir },
      openStreamPair: () => makeStreamPair(native, runtimeDir),
      isRestarting: () => loop.state.phase === 'restarting',
    });
    this.#workforce = workforce;
    const insight = new Insight({ releases, examinations, state, workers });
    this.#insight = insight;
    const watchers = new Watchers({ release, releases, workforce, custody, native, log, dispatch, state });
    this.#watchers = watchers;
    const requests = this.#requests;
    this.#effects = new Effects({
      ...{ loop, workforce, custody, shared, releases, requests, canary: watchers.canary, events, log, takeover },
      onReport: (message, fields) => {
        const { state } = loop;
        options.hooks?.heard(message, fields, state.stable, () => releases.of(state, state.stable));
      },
      closeWatchers: () => this.#closeWatchers('the supervisor stops'),
      announce: () => this.#announce(this.startedNow()),
      tidyUp: () => tidySoon(native),
      end: (reason) => {
        insight.tidy();
        workforce.programs?.close();
        this.#end(reason);
      },
    });
    const parts = { options, loop, releases, custody, shared, workforce, startedAt };
    const replacement = new Replacement({
      ...{ ...parts, insight, observing },
      isPreparing: () => this.#commands.isPreparing,
      closeWatchers: (reason) => this.#closeWatchers(reason),
      end: () => this.#end(null),
    });
    this.#replacement = replacement;
    const overview = new Overview({ ...parts, watchers, upgrade: () => replacement.status });
    this.#overview = overview;
    this.#commands = new Commands({
      ...{ loop, log, releases, requests },
      isExact: () => overview.steering().exact,
      tellInstalled: (progress) => replacement.tellInstalled(progress),
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
    this.#replacement.tidy();
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
    // Nobody can have asked for an examination yet.
    this.#insight.tidy();
  }

  /** Custody is given the first of them while it is made. */
  #inherited(socket: SocketId): void {
    if (this.#begun) this.#loop.dispatch({ type: 'socketOpened', socket, listened: true });
    else this.#fromBefore.push(socket);
  }

  status(figures = false): Promise<SupervisorStatus> {
    return this.#overview.status(figures ? 'figures' : 'all');
  }

  /** As far as no worker has to be asked. */
  outline(): Promise<SupervisorStatus> {
    return this.#overview.status('outline');
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
    return this.#overview.probe(name);
  }

  startedNow(): Started {
    return this.#overview.started();
  }

  reload(progress: Progress, options?: ReloadOptions): Promise<ControlResult> {
    return this.#commands.reload(progress, options);
  }

  promote(progress: Progress): Promise<ControlResult> {
    return this.#commands.promote(progress);
  }

  abort(progress: Progress): Promise<ControlResult> {
    return this.#commands.abort(progress);
  }

  restart(progress: Progress): Promise<ControlResult> {
    return this.#commands.restart(progress);
  }

  scale(change: string, progress: Progress): Promise<ControlResult> {
    return this.#commands.scale(change, progress);
  }

  stop(progress: Progress): Promise<ControlResult> {
    return this.#commands.stop(progress);
  }

  upgrade(progress: Progress, options?: UpgradeOptions): Promise<ControlResult> {
    return this.#replacement.upgrade(progress, options);
  }

  /** `ended` resolves right before it does, and `hasLeft` says why. */
  leave(progress: Progress, options?: LeaveOptions): Promise<ControlResult> {
    return this.#replacement.leave(progress, options);
  }

  /** Its workers are left to another supervisor. */
  get hasLeft(): boolean {
    return this.#replacement.hasLeft;
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
    return this.#options.log.follow(onLine, filter);
  }

  recentLogs(query: LogQuery): RecentLogs {
    return this.#options.log.recent(query);
  }

  followEvents(onEvent: (event: SupervisorEvent) => void): () => void {
    return this.#events.follow(onEvent);
  }

  #closeWatchers(reason: string): void {
    this.#watchers.close();
    this.#commands.close(reason);
  }

  /** What has gone wrong is told, and costs nothing but itself: the loop goes on. */
  #failed(error: unknown, during: AnyEffect | AnyEvent | null): void {
    const what = during === null ? null : 'do' in during ? during.do : during.type;
    this.#options.log.logger.error({ err: error, during: what }, 'fault in the supervisor');
    if (during !== null && 'type' in during) this.#requests.failed(during, error);
  }
}
