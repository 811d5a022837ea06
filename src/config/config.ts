import type { ListenAddress, ListenTarget } from './schema/listen-address.js';

/**
 * The configuration as everything behind the command line sees it: complete, validated, frozen, no defaults left.
 *
 * Durations are in milliseconds, sizes in bytes.
 */
export interface Config {
  readonly name: string;
  /**
   * The application's entry file as the owner wrote it, relative to `cwd`; resolved anew for each generation. With `exec` the program's
   * file, absolute where it was found on the PATH.
   */
  readonly script: string;
  readonly args: readonly string[];
  /** The script is a program that is not Node: it is run as it is. */
  readonly exec: boolean;
  /** Where such a program listens, on sockets that it is given. */
  readonly listen: readonly ListenTarget[];
  /** Options for node itself, before the script: `--max-old-space-size=512`, `--require ./apm.js`. */
  readonly nodeArgs: readonly string[];
  /** Working folder of the workers, symbolic links not resolved; they are, anew, for each generation. */
  readonly cwd: string;
  /** Variables for the workers: those of `envFile`, then those of `env` (env wins). The supervisor's own come under them. */
  readonly env: Readonly<Record<string, string>>;
  /** The variable by which a worker is told its slot, beside HOLDFAST_SLOT. */
  readonly instanceVar: string;
  readonly instances: number;
  readonly listenMode: 'auto' | 'reuseport' | 'reuseaddr';
  readonly steering: 'auto' | 'off';
  /** `client-ip`: the same client address reaches the same slot. */
  readonly affinity: 'none' | 'client-ip';
  /** How long a connection waits for a busy worker before a sibling takes it. */
  readonly adoptAfterMs: number;
  /** Over which a new worker comes to its full share of connections; 0 for at once. */
  readonly slowStartMs: number;
  readonly ready: 'listening' | 'message' | 'running';
  readonly readyTimeoutMs: number;
  /** How long a worker must have been up to be ready, where `ready` is `running`. */
  readonly minUptimeMs: number;
  /** Path that a worker's own HTTP server must answer well before it is ready, and while it soaks; null for none. */
  readonly health: string | null;
  readonly healthTimeoutMs: number;
  /** From one question to the next. */
  readonly healthIntervalMs: number;
  /** How long the first worker of a release must stay up before anything else of its rollout goes on; 0 for no trial. */
  readonly trialMs: number;
  readonly soakMs: number;
  /** How many workers more than `instances` may live during a rollout; at least 1. Already counted from a percentage. */
  readonly surge: number;
  /** How many workers of one slot may drain at a time. */
  readonly maxDraining: number;
  readonly drainTimeoutMs: number;
  /** Over which idle clients and WebSockets of a draining worker are asked to leave. */
  readonly spreadMs: number;
  /** Whether open connections of a draining worker go to another one where they can. */
  readonly handover: 'on' | 'off';
  readonly killTimeoutMs: number;
  /** When a worker gets PM2's message `shutdown`: when its drain is over, or when it begins. */
  readonly shutdownMessage: 'late' | 'early';
  /** Whether processes that a worker has started and left behind live on when it has ended. */
  readonly keepChildren: boolean;
  readonly orphanTimeoutMs: number;
  /** How long a start waits for an address that another process holds; 0 means not at all. */
  readonly bindTimeoutMs: number;
  /** Replacement of a crashed worker: the first delay, the largest, and the growth between. None where nobody else serves. */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly backoffFactor: number;
  /** A worker that lived this long has its slot's backoff forgotten. */
  readonly backoffResetMs: number;
  /** More than `maxRestarts` crashes of one slot within `restartWindowMs` are a crash loop (OTP's restart intensity). */
  readonly maxRestarts: number;
  readonly restartWindowMs: number;
  /** What to do in a crash loop: go on trying at the longest delay, or end the supervisor with an error. */
  readonly onCrashLoop: 'keep' | 'exit';
  /** Exit codes by which a worker says that it is not to be replaced. */
  readonly stopExitCodes: readonly number[];
  /** A worker whose event loop gives no sign of life for this long is replaced and killed; 0 for never. */
  readonly hangTimeoutMs: number;
  /** Limits at which a worker is replaced, as in a reload of its slot; null for none. */
  readonly maxMemoryBytes: number | null;
  /**
   * What all workers together may have, where `maxMemory` is a percentage; null otherwise. It is divided among the slots that
   * there are: `maxMemoryBytes` is what it comes to with as many as `instances`.
   */
  readonly maxMemoryTotalBytes: number | null;
  readonly maxRequests: number | null;
  readonly maxAgeMs: number | null;
  readonly maxEventLoopDelayMs: number | null;
  /** Limits of a canary, compared with the generation that serves. */
  readonly canaryMaxErrorRate: number;
  readonly canaryMaxLatencyRatio: number;
  readonly canaryMaxLoopDelayMs: number;
  readonly canaryMinRequests: number;
  /** Shell command that must end with 0 before a reload begins; null for none. */
  readonly beforeReload: string | null;
  readonly beforeReloadTimeoutMs: number;
  /** Shell commands that are told of what has happened, by the event. */
  readonly hooks: { readonly [K in 'reloaded' | 'rolledBack' | 'crashLoop']?: string | undefined };
  readonly hookTimeoutMs: number;
  /** Five fields of a cron expression; null for none. */
  readonly reloadCron: string | null;
  /** IANA name; null is the system's. */
  readonly reloadCronTimeZone: string | null;
  /** Reload when files of the working folder change. */
  readonly watch: boolean;
  /** Where probes, status and metrics are answered over HTTP; null for nowhere. */
  readonly admin: ListenAddress | null;
  /** Host names by which it may be called, beside its numbers and localhost. */
  readonly adminNames: readonly string[];
  /** Files with the tokens that it takes where others can reach it, and that metrics take; null for none. */
  readonly adminTokenFile: string | null;
  readonly adminMetricsTokenFile: string | null;
  /** How metrics are called. */
  readonly metricsNames: 'holdfast' | 'otel';
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly logFormat: 'auto' | 'json' | 'pretty';
  /** Log file, reopened on SIGUSR1; null is standard output. */
  readonly logFile: string | null;
  /** At which size and age the log file is put aside; 0 for never. */
  readonly logMaxBytes: number;
  readonly logMaxAgeMs: number;
  /** How many of those are kept. */
  readonly logKeep: number;
  readonly logCompress: boolean;
}
