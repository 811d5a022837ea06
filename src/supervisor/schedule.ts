/** Reloads at the times that `reloadCron` names. */
import type { Log } from '../logs/logger.js';
import type { ControlResult } from '../protocol.js';

export interface ScheduleOptions {
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly cron: string;
  /** An IANA name; null is the system's. */
  readonly timeZone: string | null;
  readonly reload: () => Promise<Pick<ControlResult, 'ok' | 'reason'>>;
  readonly log: Log;
}

export interface Schedule {
  readonly next: () => Date | null;
  readonly close: () => void;
}

/**
 * Never two at once: a time that comes while the last reload has not ended is passed over. A time that a change of the clock
 * skips comes an hour later; one that comes twice is taken once.
 *
 * @throws Error for an expression that is none
 */
export async function scheduleReloads({ cron, timeZone, reload, log }: ScheduleOptions): Promise<Schedule> {
  const { Cron } = await import('croner');
  let busy = false;
  const job = new Cron(cron, { unref: true, ...(timeZone !== null && { timezone: timeZone }) }, async () => {
    if (busy) {
      log.logger.warn({ cron }, 'scheduled reload skipped: the last one has not ended');
      return;
    }
    busy = true;
    try {
      log.logger.info({ cron }, 'scheduled reload');
      const { ok, reason } = await reload();
      if (!ok) log.logger.error({ cron, reason }, 'scheduled reload failed');
    } finally {
      busy = false;
    }
  });
  return { next: () => job.nextRun(), close: () => job.stop() };
}
