/**
 * This program is replaced while its workers serve on: by the next version, in its place, or by another supervisor, to which it
 * leaves them. Knows what is in the way of that, and what is passed on.
 */
import { unheldSockets } from '../../core/adoption/unheld.js';
import type { ControlResult, LeaveOptions, UpgradeOptions } from '../../protocol/control.js';
import type { UpgradeStatus } from '../../protocol/status.js';
import type { Insight } from '../insight/insight.js';
import type { Observing } from '../observe/observing.js';
import { type Progress, tell } from '../requests.js';
import type { SupervisorParts } from '../supervisor-parts.js';
import { Upgrader, type UpgraderParts } from './upgrader.js';

/** Of the log: all that is remembered. */
const MOST_LINES = 100_000;

export interface ReplacementParts extends SupervisorParts {
  readonly insight: Insight;
  readonly observing: Observing;
  /** Whether a reload is being prepared, of which the core does not know yet. */
  readonly isPreparing: () => boolean;
  /** Ends whatever asks the workers by itself, and deployments that have not begun. */
  readonly closeWatchers: (reason: string) => void;
  /** The supervisor has left its workers. */
  readonly end: () => void;
}

export class Replacement {
  readonly #parts: ReplacementParts;
  readonly #upgrader: Upgrader;
  /** Its workers are left to another supervisor. */
  hasLeft = false;

  constructor(parts: ReplacementParts) {
    this.#parts = parts;
    const { options, loop, workforce } = parts;
    this.#upgrader = new Upgrader(options.upgrade, {
      state: () => loop.state,
      turn: () => loop.turns,
      busy: () => this.#busy(),
      workers: () => workforce.workers.values(),
      answers: async (worker) => (await workforce.stats.ask(worker)) !== null,
      pass: () => this.#pass(),
    });
  }

  get status(): UpgradeStatus {
    return this.#upgrader.status;
  }

  /** Removes what one that was killed in the middle of an upgrade has left. */
  tidy(): void {
    this.#upgrader.tidy();
  }

  tellInstalled(progress: Progress): Promise<void> {
    return this.#upgrader.tellInstalled((line) => tell(progress, line));
  }

  upgrade(progress: Progress, options?: UpgradeOptions): Promise<ControlResult> {
    return this.#upgrader.upgrade((line) => tell(progress, line), options);
  }

  /** `hasLeft` says that it has come to it, before the supervisor's end. */
  async leave(progress: Progress, { dryRun = false }: LeaveOptions = {}): Promise<ControlResult> {
    const { options, loop, releases } = this.#parts;
    const { state } = loop;
    const nobody = () => unheldSockets(loop.sockets).map(({ key }) => `a socket of ${key}, which no worker holds`);
    const go = () => {
      loop.halt();
      this.#parts.closeWatchers('the supervisor leaves');
      this.hasLeft = true;
    };
    const lack = options.leaveLack;
    const on: Progress = (line) => tell(progress, line);
    const reason = lack ?? (await this.#upgrader.leave(on, nobody, dryRun ? undefined : go));
    if (reason === null && !dryRun) setImmediate(() => this.#parts.end());
    if (reason !== null) options.log.logger.error({ reason }, 'leaving the workers to another supervisor refused');
    const release = releases.of(state, state.stable);
    return { ok: reason === null, message: reason === null ? 'left' : 'failed', reason, ...(dryRun && { release }) };
  }

  /** What the core does not know of, and another program could not go on with. */
  #busy(): string[] {
    const { options, insight, isPreparing } = this.#parts;
    return [
      ...(isPreparing() ? ['a reload that is being prepared'] : []),
      ...(insight.isBusy ? ['a profile or an inspector'] : []),
      ...(options.hooks?.isBusy ? ['a hook that runs'] : []),
      ...(options.isAsked() ? ['an answer to who has asked'] : []),
    ];
  }

  #pass(): ReturnType<UpgraderParts['pass']> {
    const { options, loop, releases, custody, shared, workforce, insight, observing, startedAt } = this.#parts;
    const { takeover, version, passable, log } = options;
    const { state } = loop;
    const { instances } = releases.of(state, state.stable).config;
    const snapshot = takeover?.snapshotOf(state, instances, custody);
    if (snapshot === undefined) throw new Error('it does not know its workers');
    const { reason: _, ...handover } = workforce.handover;
    return {
      ...snapshot,
      upgrade: {
        version,
        sockets: [...custody.passable, ...shared.passable],
        ...passable(),
        uptimeMs: performance.now() - startedAt,
        history: insight.records,
        logs: log.recent({ lines: MOST_LINES, follow: false }).lines,
        handover,
        cutOff: workforce.cutOff,
        observed: observing.toJSON(),
      },
    };
  }
}
