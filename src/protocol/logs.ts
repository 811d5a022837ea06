/** Which lines of the log are asked for, and how they are answered: `GET /logs`. */

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** Which log lines are wanted; what is left out does not matter. */
export interface LogFilter {
  readonly worker?: number;
  readonly slot?: number;
  /** And all that is more important. */
  readonly level?: (typeof LOG_LEVELS)[number];
  /** By the clock, in milliseconds since 1970. */
  readonly sinceMs?: number;
}

/** Behind `GET /logs?`. */
export interface LogQuery extends LogFilter {
  /** How many of those that have come already. */
  readonly lines: number;
  /** Whether those that come from now on are wanted as well. */
  readonly follow: boolean;
}

export interface RecentLogs {
  readonly lines: readonly string[];
  /** Where older ones are to be read; null where there is no log file. */
  readonly logFile: string | null;
}

/** The first line of an answer to `GET /logs?lines=N`: how many lines follow that have come before. */
export interface LogHead {
  readonly type: 'logs';
  readonly recent: number;
  readonly logFile: string | null;
}
