/**
 * What systemd tells a service by its environment: see sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3) and
 * systemd.exec(5). It is meant for the supervisor alone: workers must neither answer for it nor take its sockets.
 */

export interface ServiceEnvironment {
  /** Where systemd listens for news; null where nobody does. */
  readonly notifySocket: string | null;
  /** How often a sign of life is asked for at least, in milliseconds; null where none is. */
  readonly watchdogMs: number | null;
  /** Names of the file descriptors that were passed, from number 3 on. */
  readonly fdNames: readonly string[];
  /** Device and inode of what standard output is, where that is the journal: `8:1234`. */
  readonly journalStream: string | null;
}

const OURS = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'FDSTORE',
  'JOURNAL_STREAM',
];
/** systemd's own bound of its store is 4,096 by default: more is nonsense. */
const MOST_FDS = 10_000;

/** Reads it, and takes it out of `env`. What is not for the process `pid` is not read. */
export function takeServiceEnvironment(env: NodeJS.ProcessEnv, pid: number): ServiceEnvironment {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, JOURNAL_STREAM } = env;
  for (const name of OURS) delete env[name];
  const isOurs = (given: string | undefined) => given === undefined || given === String(pid);
  const watchdogMs = Number(WATCHDOG_USEC) / 1000;
  const count = LISTEN_PID === String(pid) ? Number(LISTEN_FDS) : 0;
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  return {
    notifySocket: /^[/@]./.test(NOTIFY_SOCKET ?? '') ? (NOTIFY_SOCKET as string) : null,
    watchdogMs: watchdogMs > 0 && isOurs(WATCHDOG_PID) ? watchdogMs : null,
    fdNames: count > 0 && count <= MOST_FDS ? Array.from({ length: count }, (_, i) => names[i] ?? 'unknown') : [],
    journalStream: JOURNAL_STREAM ?? null,
  };
}
