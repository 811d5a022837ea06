/** What asks for a reload by itself: a schedule, and files that change. */
import type { Log } from '../../logs/logger.js';
import type { Supervisor } from '../supervisor.js';
import type { Release } from './release.js';
import { scheduleReloads } from './schedule.js';
import { watchFiles } from './watch.js';

const quiet = () => {};

/** @returns ends both */
export async function openTriggers(supervisor: Supervisor, { config, cwd }: Release, log: Log): Promise<() => void> {
  const closing: (() => void)[] = [];
  const { reloadCron: cron, reloadCronTimeZone: timeZone } = config;
  if (cron !== null) {
    const schedule = await scheduleReloads({ cron, timeZone, reload: () => supervisor.reload(quiet), log });
    log.logger.info({ cron, next: schedule.next()?.toISOString() }, 'reloads scheduled');
    closing.push(schedule.close);
  }
  if (config.watch) {
    const onChange = (paths: readonly string[]) => {
      log.logger.info({ paths: paths.slice(0, 10), count: paths.length }, 'files changed');
      void supervisor.reload(quiet);
    };
    const ignored = config.logFile === null ? [] : [config.logFile];
    const watching = await watchFiles({ dir: cwd, ignored, onChange, log });
    log.logger.info({ dir: cwd }, 'watching');
    closing.push(() => void watching.close());
  }
  return () => {
    for (const close of closing) close();
  };
}
