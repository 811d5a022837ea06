/**
 * The supervisor's log: pino in front, a bounded outlet behind, followers beside.
 *
 * Made once, by the supervisor. Logging never blocks the event loop and never grows memory: a destination
 * that stalls or goes away costs log lines, which are counted, and nothing else.
 */
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { type Logger, pino } from 'pino';
import type { Config } from '../config/config.js';
import type { LogFilter, LogQuery, RecentLogs } from '../protocol/logs.js';
import { terminalText } from '../terminal-text.js';
import { History } from './history.js';
import { lineFilter } from './lines/filter.js';
import { prettifier } from './lines/pretty.js';
import { isJournal, type JournalSocket, journalSink, withPriority } from './sinks/journal.js';
import { openLogFile } from './sinks/log-file.js';
import { Outlet } from './sinks/outlet.js';
import { sinkFor } from './sinks/sink.js';

export interface Log {
  readonly logger: Logger;
  /** Logs a line that is one already, at any level: what `make` returns for the supervisor's name. */
  write(make: (name: string) => Readonly<Record<string, unknown>>): void;
  /** Opens the log file anew under its name, after a rotation moved it. Standard output stays as it is. */
  reopen(): void;
  /** Resolves when all is written, or after `timeoutMs` (1000 if not given) at the latest. Never rejects. */
  flush(timeoutMs?: number): Promise<void>;
  /** False while the destination lags behind: who can wait should. */
  writable(): boolean;
  /** Calls back once when `writable()` is true again. */
  onceWritable(callback: () => void): void;
  /** What is logged but not written yet, in bytes. */
  bufferedBytes(): number;
  /**
   * Calls `onLine` with each line from now on that fits: JSON without its newline, whatever the format of the log itself, and
   * also when the destination has to drop it. It must not throw, block, or keep lines without bound. Returns how to stop.
   */
  follow(onLine: (jsonLine: string) => void, filter?: LogFilter): () => void;
  /** The last lines, out of memory. */
  recent(query: LogQuery): RecentLogs;
}

type LogConfig = Pick<Config, 'logLevel' | 'logFormat' | 'logFile' | 'name'> &
  Partial<Pick<Config, 'logMaxBytes' | 'logMaxAgeMs' | 'logKeep' | 'logCompress'>>;

export interface LogOptions {
  /** Standard output; file descriptor 1 if not given. */
  readonly stdout?: { readonly fd: number; readonly isTTY: boolean };
  /** systemd's journal: what JOURNAL_STREAM says, and how to reach it past standard output. */
  readonly journal?: { readonly stream: string | null; readonly connect: () => JournalSocket | null };
  /** Lines that a program before this one has logged, for who asks for the last ones. */
  readonly before?: readonly string[] | undefined;
}

const flushMs = 1000;

/**
 * @throws HoldfastError LOG_FILE when the log file cannot be opened.
 */
export function createLog(config: LogConfig, options: LogOptions = {}): Log {
  const stdout = options.stdout ?? { fd: 1, isTTY: isatty(1) };
  // Resolved now: the working folder may be another one, or gone, when the file is opened again.
  const logFile = config.logFile === null ? null : resolve(config.logFile);
  const pretty = logFile === null && (config.logFormat === 'pretty' || (config.logFormat === 'auto' && stdout.isTTY));
  const followers = new Set<(jsonLine: string) => void>();
  const toJournal =
    logFile === null && config.logFormat === 'auto' && isJournal(stdout.fd, options.journal?.stream ?? null);
  const journal = toJournal ? (options.journal?.connect() ?? null) : null;
  const prefix = toJournal && journal === null ? withPriority : undefined;
  const plain = logFile === null && stdout.isTTY ? terminalText : prefix;
  const render = pretty ? prettifier(stdout.isTTY) : plain;
  const sink = journal === null ? undefined : journalSink(journal);
  const history = new History();
  for (const line of options.before ?? []) history.add(line);
  const file = logFile === null ? null : openLogFile(logFile, config, () => unfiltered);
  const outlet = new Outlet(file?.sink ?? sink ?? sinkFor(stdout.fd), (dropped) => {
    unfiltered.warn({ dropped }, 'log lines dropped');
  });

  function write(line: string): void {
    outlet.write(render === undefined ? line : render(line));
    const jsonLine = line.slice(0, -1);
    history.add(jsonLine);
    for (const onLine of [...followers]) onLine(jsonLine);
  }

  const logger = pino(
    {
      level: config.logLevel,
      // No pid of the supervisor's own: in every line that has one, `pid` is a worker's.
      base: { name: config.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Environments hold secrets. Nothing should log one; should it happen all the same, it does not get out.
      redact: ['env', '*.env'],
    },
    { write },
  );
  /** For what must be told at any log level. */
  const unfiltered = logger.child({}, { level: 'trace' });

  return {
    logger,
    write: (make) => write(`${JSON.stringify(make(config.name))}\n`),
    reopen() {
      try {
        const reopened = file?.reopen() ?? null;
        if (reopened !== null) outlet.replaceSink(reopened);
      } catch (err) {
        // The old file is still open: better there than nowhere.
        logger.error({ err, logFile }, 'cannot reopen log file');
      }
    },
    flush: (timeoutMs = flushMs) => outlet.flush(timeoutMs),
    writable: () => outlet.writable,
    onceWritable: (callback) => outlet.onceWritable(callback),
    bufferedBytes: () => outlet.bufferedBytes,
    recent: ({ lines, ...filter }) => ({ lines: history.last(lines, lineFilter(filter) ?? undefined), logFile }),
    follow(onLine, filter = {}) {
      const fits = lineFilter(filter);
      const follower = (jsonLine: string) => {
        if (fits === null || fits(jsonLine)) onLine(jsonLine);
      };
      followers.add(follower);
      return () => void followers.delete(follower);
    },
  };
}
