/**
 * Speaks to systemd for the supervisor: what it is about, how long it may yet take, and that it is alive.
 *
 * A subscriber: told of every state of the core, it decides nothing there. Owns two timers, which keep no process alive.
 */
import { judgeProbe } from '../core/probes.js';
import type { State } from '../core/state/types.js';
import type { Notifier } from './notify.js';
import { failureOf, type Situation, situationOf } from './words.js';

export interface ServiceOptions {
  readonly notifier: Notifier;
  /** How often systemd wants a sign of life at least, in milliseconds; null where it wants none. */
  readonly watchdogMs: number | null;
  readonly pid: number;
}

/** What systemd is asked for while a start, a reload or a stop goes on, and how often: its own limits know nothing of ours. */
const EXTEND_MS = 30_000;
const EXTEND_EVERY_MS = 10_000;

export class Service {
  readonly #options: ServiceOptions;
  #told: Situation | undefined;
  #state: State | undefined;
  /** Reloads that systemd waits for, and that have not come to their end. */
  #pending = 0;
  #extending: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** To be called when the supervisor starts. */
  begin(): void {
    const { watchdogMs } = this.#options;
    this.#extend();
    if (watchdogMs === null) return;
    // Twice as often as is asked for, as sd_watchdog_enabled(3) recommends. A loop that does not turn says nothing.
    this.#watchdog = setInterval(() => this.#live(), watchdogMs / 2).unref();
    this.#live();
  }

  /** The core has come to rest in this state. */
  review(state: State): void {
    this.#state = state;
    const situation = this.#situation(state);
    const before = this.#told;
    if (before?.phase === situation.phase && before.status === situation.status) return;
    this.#told = situation;
    const lines = [`STATUS=${situation.status}`];
    if (situation.phase !== before?.phase) {
      // For systemd a start that is stopped has never been ready, and a reload that is stopped is over.
      if (situation.phase === 'ready') lines.unshift('READY=1', `MAINPID=${this.#options.pid}`);
      if (situation.phase === 'reloading') lines.unshift(...reloading());
      if (situation.phase === 'stopping') lines.unshift('STOPPING=1');
    }
    this.#options.notifier.send(lines);
    if (situation.phase !== before?.phase) this.#extend();
  }

  /**
   * systemd has asked for a reload (SIGHUP) and waits: for the news that one has begun, later than its own question, and
   * that it has ended, even if nothing comes of it.
   */
  async reload(reload: () => Promise<unknown>): Promise<void> {
    this.#pending += 1;
    if (this.#told?.phase === 'reloading') this.#options.notifier.send(reloading());
    else if (this.#state !== undefined) this.review(this.#state);
    try {
      await reload();
    } finally {
      this.#pending -= 1;
      if (this.#state !== undefined) this.review(this.#state);
    }
  }

  /** Why the supervisor ends though nobody has asked it to. */
  fail(reason: string, exitStatus: number): void {
    this.#options.notifier.send(failureOf(reason, exitStatus));
  }

  close(): void {
    clearInterval(this.#extending);
    clearInterval(this.#watchdog);
  }

  #situation(state: State): Situation {
    const situation = situationOf(state);
    return situation.phase === 'ready' && this.#pending > 0 ? { ...situation, phase: 'reloading' } : situation;
  }

  /** As long as something goes on that systemd has a limit for. */
  #extend(): void {
    clearInterval(this.#extending);
    this.#extending = undefined;
    if (this.#told?.phase === 'ready') return;
    const ask = () => this.#options.notifier.send([`EXTEND_TIMEOUT_USEC=${EXTEND_MS * 1000}`]);
    this.#extending = setInterval(ask, EXTEND_EVERY_MS).unref();
    ask();
  }

  /** A loop that turns is alive, unless a new start may help: what `/livez` answers. */
  #live(): void {
    if (this.#state === undefined || judgeProbe('livez', this.#state).ok) this.#options.notifier.send(['WATCHDOG=1']);
  }
}

/** CLOCK_MONOTONIC is what Node's hrtime counts on Linux. */
function reloading(): string[] {
  return ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
}
