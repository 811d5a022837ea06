/** The options of a supervisor, as a configuration file has them: config/schema.json. A test holds this to the schema. */

/** `500ms`, `30s`, `5m`, `2h`, or 0. */
export type Duration = string | 0;

export interface Options {
  /** Of the supervisor. From the script or its folder, if not given. */
  readonly name?: string;
  /** Its entry file, its folder, a program of a package, or a command such as `npm start`; relative to `cwd`. */
  readonly script: string;
  readonly interpreter?: string;
  readonly args?: readonly (string | number | boolean)[];
  readonly exec?: boolean;
  readonly listen?: number | string | readonly (number | string)[];
  readonly nodeArgs?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | number | boolean>>;
  readonly envFile?: string;
  readonly instanceVar?: string;
  readonly instances?: number | 'max';
  readonly listenMode?: 'auto' | 'reuseport' | 'reuseaddr';
  readonly steering?: 'auto' | 'off';
  readonly affinity?: 'none' | 'client-ip';
  readonly adoptAfter?: Duration;
  readonly slowStart?: Duration;
  readonly ready?: 'listening' | 'message' | 'running';
  readonly readyTimeout?: Duration;
  readonly minUptime?: Duration;
  readonly health?: string;
  readonly healthTimeout?: Duration;
  readonly healthInterval?: Duration;
  readonly trial?: Duration;
  readonly soak?: Duration;
  readonly surge?: number | string;
  readonly maxDraining?: number;
  readonly drainTimeout?: Duration;
  readonly spread?: Duration;
  readonly handover?: 'on' | 'off';
  readonly killTimeout?: Duration;
  readonly shutdownMessage?: 'late' | 'early';
  readonly keepChildren?: boolean;
  readonly orphanTimeout?: Duration;
  readonly bindTimeout?: Duration;
  readonly backoffBase?: Duration;
  readonly backoffMax?: Duration;
  readonly backoffFactor?: number;
  readonly backoffReset?: Duration;
  readonly maxRestarts?: number;
  readonly restartWindow?: Duration;
  readonly onCrashLoop?: 'keep' | 'exit';
  readonly stopExitCodes?: readonly number[];
  readonly hangTimeout?: Duration;
  readonly maxMemory?: string;
  readonly maxRequests?: number;
  readonly maxAge?: Duration;
  readonly maxEventLoopDelay?: Duration;
  readonly canaryMaxErrorRate?: string;
  readonly canaryMaxLatency?: number;
  readonly canaryMaxLoopDelay?: Duration;
  readonly canaryMinRequests?: number;
  readonly beforeReload?: string;
  readonly beforeReloadTimeout?: Duration;
  readonly hooks?: {
    readonly reloaded?: string;
    readonly rolledBack?: string;
    readonly crashLoop?: string;
  };
  readonly hookTimeout?: Duration;
  readonly reloadCron?: string;
  readonly reloadCronTimeZone?: string;
  readonly watch?: boolean;
  readonly admin?: number | string;
  readonly adminNames?: readonly string[];
  readonly adminTokenFile?: string;
  readonly adminMetricsTokenFile?: string;
  readonly metricsNames?: 'holdfast' | 'otel';
  readonly logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly logFormat?: 'auto' | 'json' | 'pretty';
  readonly logFile?: string;
  readonly logMaxSize?: string | 0;
  readonly logMaxAge?: Duration;
  readonly logKeep?: number;
  readonly logCompress?: boolean;
}
