/**
 * Every option there is: its schema, default and description. The only source of validation, of the JSON Schema for
 * editors, and of the flags that the command line offers. A new one also needs a field in `Config` (config.ts), a line in
 * assemble.ts, and a line in src/api/options.ts.
 *
 * Uses zod/mini: measured on Node 20 it costs 14 MB and 45 ms against 15.5 MB and 54 ms of zod, nearly all of it
 * being zod's translations, which both load. So nothing but loading a configuration may import this file.
 */
import * as z from 'zod/mini';
import { cronFault } from './cron.js';
import { parseDuration } from './duration.js';
import {
  choice,
  duration,
  LISTEN_TARGET_ALLOWED,
  line,
  listenAddress,
  listenTarget,
  memory,
  number,
  path,
  percentage,
  rotationAge,
  size,
  text,
  wholeNumber,
} from './kinds.js';

export const MAX_INSTANCES = 256;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * How an option is read where all is text (environment, flags):
 * `words` is split as a shell does, `numbers` are words that are numbers, `pairs` is KEY=VALUE, `path` is relative to the
 * source it comes from, `switch` is true or false and needs no value on the command line.
 */
export type Reading = 'text' | 'number' | 'path' | 'words' | 'numbers' | 'pairs' | 'switch';

export interface Setting<S extends z.core.$ZodType = z.core.$ZodType> {
  readonly schema: S;
  readonly description: string;
  readonly reading: Reading;
  /** What it is where nobody says otherwise, validated: durations in milliseconds. */
  readonly value: unknown;
  /** As the owner would write it. */
  readonly default?: string | number | boolean;
  readonly choices?: readonly string[];
  /** One-letter flag. */
  readonly alias?: string;
  /** Its values may be secrets and are never shown. */
  readonly secret?: boolean;
}

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const NAME_ALLOWED = 'must be 1 to 64 letters, digits, "_", "." or "-", the first one a letter or a digit';
/** What commands take as a word of their own. */
const FREE_NAME_PATTERN = /^(?!all$)/;
const FREE_NAME_ALLOWED = 'must not be "all", which commands take as every supervisor: give it another name';
const LIST_ALLOWED = 'must be a list of strings';
const ENV_ALLOWED = 'must be an object of names and texts: { PORT: "3000" }';
const INSTANCES_ALLOWED = `must be a whole number from 1 to ${MAX_INSTANCES}, or "max"`;
const VARIABLE_ALLOWED = 'must be the name of a variable: letters, digits and "_"';
const SURGE_ALLOWED = 'must be a whole number from 1 to 256, or a percentage of the instances from "1%" to "100%"';

const LISTEN_ALLOWED = `must be an address or a list of addresses, each ${LISTEN_TARGET_ALLOWED}`;
const HEALTH_ALLOWED = 'must be a path that begins with "/", without spaces';
const HOOKS_ALLOWED = 'must be shell commands by what they are told of: reloaded, rolledBack, crashLoop';
const CRON_ALLOWED = 'must be five fields of a cron expression that comes to pass, such as "0 4 * * *"';
const HOSTS_ALLOWED = 'must be a host name without a port, such as shop.internal';
const ZONE_ALLOWED = 'must be a time zone such as UTC or Europe/Berlin';

export const SETTINGS = {
  name: optional(
    () =>
      z
        .string({ error: NAME_ALLOWED })
        .check(
          z.regex(NAME_PATTERN, { error: NAME_ALLOWED }),
          z.regex(FREE_NAME_PATTERN, { error: FREE_NAME_ALLOWED }),
        ),
    {
      description: 'Name of the supervisor, for --name. From the script or its folder if not given',
      alias: 'n',
    },
  ),
  script: optional(() => path('the application'), {
    description:
      'The application, relative to cwd: its entry file, its folder, a program of a package, or a command such as npm start',
  }),
  interpreter: setting(() => line('must be a program that runs scripts: node, tsx or ts-node'), 'node', {
    description: 'What runs the script: node, tsx or ts-node',
  }),
  args: setting(() => z.array(text('must be text'), { error: LIST_ALLOWED }), [], {
    description: 'Arguments for the application; on the command line after --',
    reading: 'words',
    secret: true,
  }),
  exec: setting(() => z.boolean({ error: 'must be true or false' }), false, {
    description: 'Run a program that is not Node: it gets the sockets of listen as LISTEN_FDS. --exec -- ./server args',
    reading: 'switch',
  }),
  listen: setting(
    () =>
      z.pipe(
        z.union([listenTarget(), z.array(listenTarget(), { error: LISTEN_ALLOWED })], { error: LISTEN_ALLOWED }),
        z.transform((value) => [value].flat()),
      ),
    [],
    {
      description:
        'With exec: addresses whose sockets the program gets: host:port, :port for every address of the machine, a port alone for 127.0.0.1; NAME=host:port names one',
      reading: 'words',
    },
  ),
  nodeArgs: setting(
    () =>
      z.array(line('must be a text that is not empty'), { error: LIST_ALLOWED }).check(
        z.refine((words) => words[0]?.startsWith('-') !== false, {
          error: 'must begin with an option of node: "-…"',
        }),
      ),
    [],
    { description: 'Options for node itself: --node-args="--max-old-space-size=512"', reading: 'words' },
  ),
  cwd: optional(() => path('a folder'), {
    description: "Working folder of the workers. The configuration file's folder, or the current one, if not given",
    reading: 'path',
  }),
  env: setting(
    () =>
      z.record(
        z.string().check(z.regex(/^[^=\0]+$/, { error: 'must be a name without "="' })),
        text('must be text, a number, true or false'),
        { error: ENV_ALLOWED },
      ),
    {},
    {
      description: 'Environment variables for the workers; they win over those of envFile',
      reading: 'pairs',
      secret: true,
    },
  ),
  envFile: optional(() => path('a file of environment variables'), {
    description: 'File of environment variables for the workers, one KEY=VALUE a line; read anew at each reload',
    reading: 'path',
  }),
  instanceVar: setting(
    () => z.string({ error: VARIABLE_ALLOWED }).check(z.regex(/^[A-Za-z_]\w*$/, { error: VARIABLE_ALLOWED })),
    'NODE_APP_INSTANCE',
    {
      description: 'Environment variable that tells a worker its slot, as in PM2; a variable of this name in env wins',
    },
  ),
  instances: setting(
    () =>
      z.union([wholeNumber(1, MAX_INSTANCES, INSTANCES_ALLOWED), z.literal('max')], {
        error: INSTANCES_ALLOWED,
      }),
    1,
    {
      description: 'How many workers; max is one for each processor that the container may use',
      reading: 'number',
      alias: 'i',
    },
  ),
  listenMode: oneOf(['auto', 'reuseport', 'reuseaddr'], 'auto', {
    description: 'A socket for each worker (reuseport), one for all (reuseaddr), or what the machine supports',
  }),
  steering: oneOf(['auto', 'off'], 'auto', {
    description: 'Whether the kernel is told which worker gets a new connection, in reuseport mode where it can be',
  }),
  affinity: oneOf(['none', 'client-ip'], 'none', {
    description: 'client-ip: the same client address reaches the same slot; needs steering',
  }),
  adoptAfter: time(1, 60_000, '5ms', {
    description: 'How long a connection waits for a busy worker before another one takes it; needs steering',
  }),
  slowStart: time(0, DAY_MS, '0', {
    description: 'How long a new worker takes to reach its full share of new connections; needs steering',
  }),
  ready: oneOf(['listening', 'message', 'running'], 'listening', {
    description:
      "When a worker is ready: it listens, it called process.send('ready'), or it is up for minUptime (or said ready): for queue workers, bots and cron",
  }),
  readyTimeout: time(1, DAY_MS, '30s', { description: 'A worker that is not ready after this time has failed' }),
  minUptime: time(1, DAY_MS, '1s', { description: 'With ready: running, how long a worker must be up to be ready' }),
  health: optional(
    () => z.string({ error: HEALTH_ALLOWED }).check(z.regex(/^\/[\x21-\x7e]{0,1000}$/, { error: HEALTH_ALLOWED })),
    {
      description:
        'Path that the worker itself must answer with 200 to 399 before it is ready and while it soaks: /healthz',
    },
  ),
  healthTimeout: time(1, HOUR_MS, '5s', { description: 'How long an answer to health may take' }),
  healthInterval: time(10, HOUR_MS, '1s', { description: 'How often health is asked while a worker soaks' }),
  trial: time(0, DAY_MS, '2s', {
    description:
      'How long the first worker of a new release must stay up, with no clients, before anything else of the reload goes on',
  }),
  soak: time(0, DAY_MS, '0', {
    description: 'How long a ready worker must stay up, and healthy, before its predecessor drains',
  }),
  surge: setting(
    () =>
      z.union(
        [
          wholeNumber(1, MAX_INSTANCES, SURGE_ALLOWED),
          z
            .string({ error: SURGE_ALLOWED })
            .check(z.regex(/^(?:[1-9]\d?|100)%$/, { error: SURGE_ALLOWED, abort: true })),
        ],
        { error: SURGE_ALLOWED },
      ),
    1,
    { description: 'Workers beyond the instances during a rollout: a number, or 50% of them', reading: 'number' },
  ),
  maxDraining: setting(() => wholeNumber(1, 1_000), 3, {
    description: 'How many workers of one slot may drain at a time; if there are more, the oldest gets SIGTERM',
    reading: 'number',
  }),
  drainTimeout: time(0, DAY_MS, '75s', {
    description: 'How long open connections of a draining worker have to finish before SIGTERM',
  }),
  spread: time(0, DAY_MS, '5s', {
    description: 'Over what time idle clients and WebSockets of a draining worker are asked to leave, one by one',
  }),
  handover: oneOf(['on', 'off'], 'on', {
    description:
      'Whether open HTTP/1.1 connections of a draining worker go to its successor, so that nothing is closed',
  }),
  killTimeout: time(0, DAY_MS, '5s', { description: 'From SIGTERM to SIGKILL' }),
  shutdownMessage: oneOf(['late', 'early'], 'late', {
    description: "When a worker gets PM2's message shutdown: when its drain is over (late), or when it begins (early)",
  }),
  keepChildren: setting(() => z.boolean({ error: 'must be true or false' }), false, {
    description: 'Whether processes that a worker has left behind live on after it has ended',
    reading: 'switch',
  }),
  orphanTimeout: time(0, DAY_MS, '5m', {
    description:
      'How long workers keep serving after the supervisor has died, if no other takes them over; 0: they end with it',
  }),
  bindTimeout: time(0, DAY_MS, '0', { description: 'How long to wait for an address that another process holds' }),
  backoffBase: time(1, DAY_MS, '100ms', {
    description: 'Delay before a crashed worker is replaced; none after the first crash if no other worker serves',
  }),
  backoffMax: time(1, DAY_MS, '30s', { description: 'The longest delay before a crashed worker is replaced' }),
  backoffFactor: setting(() => number(1, 100), 2, {
    description: 'By what the delay is multiplied from one crash to the next',
    reading: 'number',
  }),
  backoffReset: time(1, DAY_MS, '60s', { description: 'After a worker has lived this long, the delay starts over' }),
  maxRestarts: setting(() => wholeNumber(0, 10_000), 10, {
    description: 'More crashes of one slot than that within restartWindow are a crash loop',
    reading: 'number',
  }),
  restartWindow: time(1, DAY_MS, '60s', { description: 'The time in which crashes of a slot are counted' }),
  onCrashLoop: oneOf(['keep', 'exit'], 'keep', {
    description: 'In a crash loop: try again at the longest delay (keep), or end the supervisor with 1 (exit)',
  }),
  stopExitCodes: setting(
    () => z.array(wholeNumber(0, 255), { error: 'must be a list of exit codes from 0 to 255: [0, 64]' }),
    [],
    { description: 'Exit codes after which a worker is not replaced', reading: 'numbers' },
  ),
  hangTimeout: time(0, DAY_MS, '10s', {
    description: 'A worker whose event loop does not answer for this long is replaced and killed; 0 is never',
  }),
  maxMemory: optional(() => memory(), {
    description:
      "Resident memory at which a worker is replaced: 300M; or 80% of the container's (else the machine's) memory, divided among the workers",
  }),
  maxRequests: optional(() => wholeNumber(1, Number.MAX_SAFE_INTEGER, 'must be a whole number of at least 1'), {
    description: 'Number of requests after which a worker is replaced',
    reading: 'number',
  }),
  maxAge: optional(() => duration(1_000, 365 * DAY_MS), { description: 'Age at which a worker is replaced' }),
  maxEventLoopDelay: optional(() => duration(1, HOUR_MS), {
    description: 'Delay of the event loop at which a worker is replaced, if measured several times in a row',
  }),
  canaryMaxErrorRate: setting(
    () => percentage(),
    '1%',
    { description: 'By how much the share of 5xx answers of a canary may be larger than that of the others' },
    0.01,
  ),
  canaryMaxLatency: setting(() => number(1, 1_000), 1.5, {
    description: 'How many times as slow as the others a canary may be, at the 99th percentile',
    reading: 'number',
  }),
  canaryMaxLoopDelay: time(1, HOUR_MS, '500ms', {
    description: "A canary is rolled back if its event loop is later than the others' by more than this",
  }),
  canaryMinRequests: setting(() => wholeNumber(1, 1_000_000), 100, {
    description: 'How many requests a canary must answer before it is compared',
    reading: 'number',
  }),
  beforeReload: optional(() => line('must be a shell command'), {
    description: 'Shell command that must end with 0 before a reload begins: migrations, smoke tests',
  }),
  beforeReloadTimeout: time(1, DAY_MS, '10m', { description: 'How long beforeReload may take' }),
  hooks: setting(
    () => {
      const command = () => z.optional(line('must be a shell command'));
      const events = { reloaded: command(), rolledBack: command(), crashLoop: command() };
      return z.strictObject(events, { error: HOOKS_ALLOWED });
    },
    {},
    {
      description: 'Shell commands that run after an event: reloaded, rolledBack, crashLoop',
      reading: 'pairs',
    },
  ),
  hookTimeout: time(1, HOUR_MS, '30s', { description: 'How long a hook may run before it is ended' }),
  reloadCron: optional(
    () =>
      z
        .string({ error: CRON_ALLOWED })
        .check(z.refine((value) => cronFault(value, undefined) === null, { error: CRON_ALLOWED })),
    { description: 'When to reload by itself: five fields of a cron expression, "0 4 * * *"' },
  ),
  reloadCronTimeZone: optional(
    () =>
      line(ZONE_ALLOWED).check(z.refine((value) => cronFault('0 0 * * *', value) === null, { error: ZONE_ALLOWED })),
    { description: "Time zone of reloadCron; the system's if not given" },
  ),
  watch: setting(() => z.boolean({ error: 'must be true or false' }), false, {
    description: 'Reload when files of the working folder change: for development, not for production',
    reading: 'switch',
  }),
  admin: optional(() => listenAddress(), {
    description: 'Where probes (/livez, /readyz, /startupz), /status and /metrics are answered: 9100, :9100, host:port',
    reading: 'number',
  }),
  adminNames: setting(
    () =>
      z.array(z.string({ error: HOSTS_ALLOWED }).check(z.regex(/^[A-Za-z0-9._-]{1,253}$/, { error: HOSTS_ALLOWED })), {
        error: 'must be a list of host names: [shop.internal]',
      }),
    [],
    {
      description: 'Host names under which the admin address answers, besides IP addresses and localhost',
      reading: 'words',
    },
  ),
  adminTokenFile: optional(() => path('a file with the token'), {
    description: 'File with the token that /status asks for if the admin address is not on loopback',
    reading: 'path',
  }),
  adminMetricsTokenFile: optional(() => path('a file with the token'), {
    description: 'File with the token that /metrics asks for; none if not given',
    reading: 'path',
  }),
  metricsNames: oneOf(['holdfast', 'otel'], 'holdfast', {
    description: "Names of metrics: holdfast's, or OpenTelemetry's where its conventions have one",
  }),
  logLevel: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], 'info', {
    description: 'The lowest level of log lines of the supervisor that are written',
  }),
  logFormat: oneOf(['auto', 'json', 'pretty'], 'auto', {
    description: 'JSON lines, or lines for people (pretty); auto is pretty on a terminal and JSON elsewhere',
  }),
  logFile: optional(() => path('a log file'), {
    description: 'Log file, reopened on SIGUSR1. Standard output if not given',
    reading: 'path',
  }),
  logMaxSize: setting(
    () => size(),
    '50M',
    { description: 'Size at which the log file is rotated; 0 is never' },
    50 * 1024 ** 2,
  ),
  logMaxAge: setting(
    () => rotationAge(),
    '0',
    { description: 'Age at which the log file is rotated: 1h, 12h, 24h; 0 is never' },
    0,
  ),
  logKeep: setting(() => wholeNumber(0, 10_000), 10, {
    description: 'How many rotated log files are kept',
    reading: 'number',
  }),
  logCompress: setting(() => z.boolean({ error: 'must be true or false' }), true, {
    description: 'Whether rotated log files are compressed (gzip)',
    reading: 'switch',
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** What an option is once validated: durations in milliseconds, everything else as written. */
export type Validated = { readonly [K in SettingName]: z.output<(typeof SETTINGS)[K]['schema']> };

/** The JSON Schema of a configuration file, as committed in config/schema.json. */
export function jsonSchema(): Record<string, unknown> {
  const shape = Object.fromEntries(
    SETTING_NAMES.map((name) => {
      const { schema, description } = SETTINGS[name];
      return [name, (schema as z.ZodMiniType).check(z.describe(description))];
    }),
  );
  const file = z.strictObject({ $schema: z.optional(z.string()), ...shape });
  const { $schema, properties, ...rest } = z.toJSONSchema(file, { io: 'input', target: 'draft-7' });
  const apps = {
    description: 'Several applications, each under a supervisor of its own; the options beside it are for all of them',
    type: 'array',
    minItems: 1,
    // Each is a configuration of its own, but for what only the whole file can have.
    items: { allOf: [{ $ref: '#' }], properties: { apps: false, $schema: false } },
  };
  return { $schema, title: 'Configuration of holdfast', ...rest, properties: { ...properties, apps } };
}

type About = Omit<Setting, 'schema' | 'value' | 'default' | 'reading'> & { readonly reading?: Reading };

/** @param value what the fallback comes to; a test sees to it that the schema says the same */
function setting<S extends z.core.$ZodType>(
  make: () => S,
  fallback: z.input<S>,
  about: About,
  value: z.output<S> = fallback as z.output<S>,
) {
  const isPlain = typeof fallback === 'string' || typeof fallback === 'number' || typeof fallback === 'boolean';
  const shown = isPlain ? { default: fallback as string | number | boolean } : {};
  return made(() => z.prefault(make(), fallback as never), { reading: 'text' as const, ...about, ...shown, value });
}

function optional<S extends z.core.$ZodType>(make: () => S, about: About) {
  return made(() => z.optional(make()), { reading: 'text' as const, ...about, value: undefined });
}

/** The schema is made when it is asked for: to make them all takes longer than to check what is given. */
function made<S extends z.core.$ZodType, A extends object>(make: () => S, about: A): A & { readonly schema: S } {
  let schema: S | undefined;
  return {
    ...about,
    get schema() {
      schema ??= make();
      return schema;
    },
  };
}

function oneOf<const T extends readonly [string, ...string[]]>(choices: T, fallback: T[number], about: About) {
  return setting(() => choice(choices), fallback as never, { ...about, choices });
}

function time(minMs: number, maxMs: number, fallback: string, about: About) {
  return setting(() => duration(minMs, maxMs), fallback, about, parseDuration(fallback) as number);
}
