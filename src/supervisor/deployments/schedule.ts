/**
 * Reloads at the times that `reloadCron` names.
 *
 * Owns one timer. Made by the triggers of a supervisor; it only asks for reloads and never knows how they are done. croner
 * is loaded when there is a schedule, and only reckons: see `nextAfter` for why its own timer is not used.
 */
import type { Cron } from 'croner';
import type { Log } from '../../logs/logger.js';
import type { ControlResult } from '../../protocol/control.js';

export interface ScheduleOptions {
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly cron: string;
  /** An IANA name; null is the system's. */
  readonly timeZone: string | null;
  readonly reload: () => Promise<Pick<ControlResult, 'ok' | 'reason'>>;
  readonly log: Log;
}

export interface Schedule {
  /** When the next reload is due; null when none will be, or after `close()`. */
  readonly next: () => Date | null;
  /** No reload begins after this; one that is under way goes on. */
  readonly close: () => void;
}

/** Node's timers count time that passes, not the clock's: a clock that is set, or slept on, is noticed after this. */
const LONGEST_SLEEP_MS = 15 * 60_000;
const MINUTE_MS = 60_000;

/**
 * Never two at once: a time that comes while the last reload has not ended is passed over. Does not keep the process alive.
 *
 * Where clocks are put forward, a time of day that is skipped comes as much later (02:30 at 03:30). Where they are put
 * back, one that comes twice is taken the first time only, also by what is due every half hour. Times that the machine
 * slept through are made up for by one reload.
 *
 * @throws Error for an expression that is none, or a time zone that is not known
 */
export async function scheduleReloads({ cron, timeZone, reload, log }: ScheduleOptions): Promise<Schedule> {
  const { Cron } = await import('croner');
  const zone = timeZone === null ? {} : { timezone: timeZone };
  const pattern = new Cron(cron, { paused: true, mode: '5-part', ...zone });
  let busy = false;
  let asleepSince = Date.now();
  let due = nextAfter(pattern, asleepSince);
  let timer: NodeJS.Timeout | undefined;

  async function run(): Promise<void> {
    if (busy) {
      log.logger.info({ cron, reason: 'the last one has not ended' }, 'scheduled reload skipped');
      return;
    }
    busy = true;
    log.logger.info({ cron }, 'scheduled reload');
    try {
      const { ok, reason } = await reload();
      if (!ok) log.logger.error({ cron, reason }, 'scheduled reload failed');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.logger.error({ cron, reason }, 'scheduled reload failed');
    } finally {
      busy = false;
    }
  }

  function wake(): void {
    const now = Date.now();
    if (due !== null && now >= due) {
      due = nextAfter(pattern, now);
      void run();
    } else if (now < asleepSince) {
      // Only then: reckoned anew, a time that was put off because the clock skips it would be lost.
      due = nextAfter(pattern, now);
    }
    sleep(now);
  }

  function sleep(now: number): void {
    asleepSince = now;
    if (due === null) return;
    timer = setTimeout(wake, Math.min(LONGEST_SLEEP_MS, due - now)).unref();
  }

  sleep(asleepSince);
  return {
    next: () => (due === null ? null : new Date(due)),
    close() {
      clearTimeout(timer);
      due = null;
    },
  };
}

/**
 * The first time after `afterMs`, both in milliseconds since 1970; null where there is none.
 *
 * croner reckons with the time of day and takes one that comes twice for its first coming. So in between, when clocks have
 * been put back, it names times that are past, and its own timer then fires without a pause. Minute by minute the question
 * leaves that hour.
 */
function nextAfter(pattern: Cron, afterMs: number): number | null {
  for (let fromMs = afterMs; ; fromMs += MINUTE_MS) {
    const next = pattern.nextRun(new Date(fromMs));
    if (next === null) return null;
    if (next.getTime() > afterMs) return next.getTime();
  }
}
