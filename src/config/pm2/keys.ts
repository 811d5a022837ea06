/**
 * Every key of an application in PM2's file, and what holdfast makes of it. A table: docs/pm2.md shows the same rows, and a
 * test holds the two together. What concerns several keys at once is in `translate.ts`.
 */
import path from 'node:path';
import { formatDuration } from '../schema/duration.js';
import type { SettingName } from '../schema/schema.js';
import { argumentsOf, cronOf, homePath, instancesOf, isNowhere, sizeOf, timeOf } from './values.js';

/** The same here; something else here; nothing here. */
export type Verdict = 'taken' | 'other' | 'ignored';
export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'object';
export type Options = Partial<Record<SettingName, unknown>>;

/** What is known of the machine and of who starts. */
export interface Facts {
  readonly processors: number;
  readonly home: string;
  /** Every way to name who will run it; the first is the one that is told. */
  readonly users: readonly [string, ...string[]];
  readonly groups: readonly [string, ...string[]];
}

/** Why a value cannot be had here, as a phrase for a fault. */
export class Refused {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export interface Pm2Key {
  readonly aliases?: readonly string[];
  readonly kinds: readonly Kind[];
  readonly verdict: Verdict;
  /** What it is here, or why it is ignored. */
  readonly says: string;
  /** Values for which there is nothing to tell: they ask for what holdfast does anyway. */
  readonly isUsual?: (value: unknown) => boolean;
  /** The options that it comes to. Kinds have been checked. */
  readonly options?: (value: never, facts: Facts) => Options | Refused;
}

const off = (value: unknown) => value === false;
const on = (value: unknown) => value === true;
const empty = (value: unknown) => value === '' || value === false || (Array.isArray(value) && value.length === 0);
/** What is no time at all is for the schema to refuse. */
const ms = (value: number) => (value >= 0 ? formatDuration(Math.round(value)) : `${value}ms`);
const APM = "of PM2's own monitoring; holdfast has metrics at its admin address";
const LOG = 'logFile: one log of all lines, standard error and the supervisor included, as JSON';

export const PM2_KEYS: Readonly<Record<string, Pm2Key>> = {
  name: { kinds: ['text'], verdict: 'taken', says: 'name; what a name of holdfast may not have becomes "-"' },
  script: {
    aliases: ['exec', 'cmd', 'command'],
    kinds: ['text'],
    verdict: 'taken',
    says: 'script',
    options: (value: string) =>
      value === 'serve'
        ? new Refused(
            "must be a program of your own; PM2's file server is part of PM2: npm install serve, script: serve with its path",
          )
        : { script: value },
  },
  cwd: { kinds: ['text'], verdict: 'taken', says: 'cwd', options: (value: string) => ({ cwd: value }) },
  args: {
    kinds: ['list', 'text'],
    verdict: 'taken',
    says: 'args',
    options: (value: string | unknown[]) => ({ args: argumentsOf(value) }),
  },
  exec_interpreter: {
    aliases: ['interpreter'],
    kinds: ['text'],
    verdict: 'other',
    says: 'interpreter, of which there are node, tsx and ts-node; workers run on the Node that runs holdfast',
    isUsual: (value) => value === '' || value === 'node',
    options: (value: string) =>
      ['', 'none'].includes(value) || /^node@/.test(value) || path.basename(value) === 'node'
        ? {}
        : { interpreter: value },
  },
  node_args: {
    aliases: ['interpreterArgs', 'interpreter_args'],
    kinds: ['list', 'text'],
    verdict: 'taken',
    says: 'nodeArgs',
    options: (value: string | unknown[]) => ({ nodeArgs: argumentsOf(value) }),
  },
  instances: {
    kinds: ['number', 'text'],
    verdict: 'taken',
    says: 'instances; 0 is max, -1 is one less than the processors',
    options: (value: number | string, { processors }) => ({ instances: instancesOf(value, processors) }),
  },
  exec_mode: {
    kinds: ['text'],
    verdict: 'other',
    says: 'no modes: workers always share their port. fork becomes ready: running, cluster ready: listening',
    isUsual: (value) => /^cluster(?:_mode)?$/.test(String(value)),
    options: (value: string) =>
      /^(?:cluster|fork)(?:_mode)?$/.test(value) ? {} : new Refused('must be "fork" or "cluster"'),
  },
  wait_ready: {
    kinds: ['boolean'],
    verdict: 'taken',
    says: 'ready: message',
    options: (value: boolean) => (value ? { ready: 'message' } : {}),
  },
  listen_timeout: {
    kinds: ['number'],
    verdict: 'other',
    says: 'readyTimeout: a worker that is not ready by then has failed, and a reload is rolled back',
    options: (value: number) => (value > 0 ? { readyTimeout: ms(value) } : {}),
  },
  kill_timeout: {
    kinds: ['number'],
    verdict: 'other',
    says: 'killTimeout: from SIGTERM to SIGKILL; open connections have drainTimeout before that',
    options: (value: number) => ({ killTimeout: ms(value) }),
  },
  shutdown_with_message: {
    kinds: ['boolean'],
    verdict: 'taken',
    says: 'the message shutdown always comes; early with shutdownMessage: early',
  },
  min_uptime: {
    kinds: ['number', 'text'],
    verdict: 'taken',
    says: 'minUptime, and with max_restarts the restartWindow',
    options: (value: number | string) => {
      const time = timeOf(value);
      return time === null
        ? new Refused('must be milliseconds, or a text such as 10s, 5m or 1h')
        : { minUptime: ms(time) };
    },
  },
  max_restarts: {
    kinds: ['number'],
    verdict: 'other',
    says: 'maxRestarts with onCrashLoop: exit: the supervisor ends with 1, and whoever started it is told',
    options: (value: number) => ({ maxRestarts: value, onCrashLoop: 'exit' }),
  },
  restart_delay: {
    kinds: ['number'],
    verdict: 'taken',
    says: 'backoffBase and backoffMax, with backoffFactor 1',
    options: (value: number) => (value > 0 ? { backoffBase: ms(value), backoffMax: ms(value), backoffFactor: 1 } : {}),
  },
  exp_backoff_restart_delay: {
    kinds: ['number'],
    verdict: 'taken',
    says: 'backoffBase; backoffMax 15s, backoffFactor 1.5 and backoffReset 30s, as PM2 has it',
    options: (value: number) =>
      value > 0
        ? { backoffBase: ms(value), backoffMax: ms(Math.max(value, 15_000)), backoffFactor: 1.5, backoffReset: '30s' }
        : {},
  },
  autorestart: {
    kinds: ['boolean'],
    verdict: 'taken',
    says: 'stopExitCodes with all codes, and in fork mode ready at once; a worker that a signal has ended is replaced',
    isUsual: on,
    options: (value: boolean) => (value ? {} : { stopExitCodes: Array.from({ length: 256 }, (_, code) => code) }),
  },
  stop_exit_codes: {
    kinds: ['list', 'number'],
    verdict: 'taken',
    says: 'stopExitCodes; in fork mode ready at once',
    options: (value: number | unknown[]) => ({
      stopExitCodes: [value].flat().map((code) => (/^\d+$/.test(String(code)) ? Number(code) : code)),
    }),
  },
  cron_restart: {
    aliases: ['cron'],
    kinds: ['text', 'number'],
    verdict: 'other',
    says: 'reloadCron: a reload, in which no connection is lost; five fields, without seconds',
    isUsual: (value) => value === 0 || value === '0' || value === '',
    options: (value: string | number) =>
      ['0', ''].includes(String(value)) ? {} : { reloadCron: cronOf(String(value)) },
  },
  max_memory_restart: {
    kinds: ['text', 'number'],
    verdict: 'other',
    says: 'maxMemory: the worker is replaced as in a reload, not killed',
    options: (value: string | number) => {
      const size = sizeOf(value);
      return size === null ? new Refused('must be bytes, or a text such as 300M or 1G') : { maxMemory: size };
    },
  },
  watch: {
    kinds: ['boolean', 'list', 'text'],
    verdict: 'other',
    says: 'watch: of the whole working folder, and a change is a reload',
    isUsual: (value) => value === true || empty(value),
    options: (value: unknown) => (empty(value) ? {} : { watch: true }),
  },
  ignore_watch: {
    kinds: ['list', 'text'],
    verdict: 'ignored',
    says: 'node_modules and what begins with a dot are never watched; nothing else can be left out',
    isUsual: (value) => [value].flat().every((one) => /^(?:\.[/\\])?(?:node_modules|\.git)\/?$/.test(String(one))),
  },
  watch_delay: {
    kinds: ['number'],
    verdict: 'ignored',
    says: 'a reload waits until the files have been quiet for a moment',
  },
  watch_options: { kinds: ['object'], verdict: 'ignored', says: 'watch has no options here' },
  env: { kinds: ['object'], verdict: 'taken', says: 'env' },
  'env_*': { kinds: ['object'], verdict: 'taken', says: 'env, over the others, with --env NAME' },
  filter_env: {
    kinds: ['boolean', 'list', 'text'],
    verdict: 'ignored',
    says: 'workers have the environment of holdfast: start that with env -i, or from a unit',
    isUsual: empty,
  },
  port: { kinds: ['number'], verdict: 'taken', says: 'PORT in env' },
  instance_var: {
    kinds: ['text'],
    verdict: 'taken',
    says: 'instanceVar',
    options: (value: string) => ({ instanceVar: value }),
  },
  increment_var: {
    kinds: ['text'],
    verdict: 'ignored',
    says: 'workers share one port; what must differ is told by NODE_APP_INSTANCE (0, 1, …)',
  },
  append_env_to_name: { kinds: ['boolean'], verdict: 'taken', says: 'NAME-production with --env production' },
  out_file: {
    aliases: ['out', 'output', 'out_log'],
    kinds: ['text'],
    verdict: 'other',
    says: LOG,
    options: (value: string, { home }) => (isNowhere(value) ? {} : { logFile: homePath(value, home) }),
  },
  error_file: {
    aliases: ['error', 'err', 'err_file', 'err_log'],
    kinds: ['text'],
    verdict: 'ignored',
    says: 'standard error is in the same log, as lines with stream: stderr',
  },
  log_file: {
    aliases: ['log'],
    kinds: ['boolean', 'text'],
    verdict: 'other',
    says: LOG,
    isUsual: off,
    options: (value: boolean | string, { home }) =>
      typeof value === 'boolean' || isNowhere(value) ? {} : { logFile: homePath(value, home) },
  },
  disable_logs: {
    kinds: ['boolean'],
    verdict: 'ignored',
    says: 'the log goes to standard output: send that to /dev/null',
    isUsual: off,
  },
  log_type: {
    kinds: ['text'],
    verdict: 'taken',
    says: 'logFormat: json; other types are the usual format',
    options: (value: string) => (value === 'json' ? { logFormat: 'json' } : {}),
  },
  log_date_format: { kinds: ['text'], verdict: 'ignored', says: 'every line has its time, in ISO 8601' },
  time: { kinds: ['boolean'], verdict: 'ignored', says: 'every line has its time, in ISO 8601', isUsual: on },
  merge_logs: {
    aliases: ['combine_logs'],
    kinds: ['boolean'],
    verdict: 'taken',
    says: 'always so: one log, each line with its worker and slot',
    isUsual: on,
  },
  source_map_support: {
    kinds: ['boolean'],
    verdict: 'taken',
    says: '--enable-source-maps in nodeArgs, when it is true',
  },
  disable_source_map_support: { kinds: ['boolean'], verdict: 'taken', says: 'no --enable-source-maps' },
  treekill: {
    kinds: ['boolean'],
    verdict: 'taken',
    says: 'keepChildren: true, when it is false',
    isUsual: on,
    options: (value: boolean) => (value ? {} : { keepChildren: true }),
  },
  uid: {
    aliases: ['user'],
    kinds: ['number', 'text'],
    verdict: 'other',
    says: 'start holdfast itself as that user, or holdfast unit --user; another one than who starts is refused',
    options: (value: number | string, { users }) =>
      users.includes(String(value))
        ? {}
        : new Refused(
            `must be who runs holdfast (${users[0]}): sudo -u ${value} holdfast start …, or holdfast unit --user=${value}`,
          ),
  },
  gid: {
    kinds: ['number', 'text'],
    verdict: 'other',
    says: 'start holdfast itself with that group, or holdfast unit --group; another one than who starts has is refused',
    options: (value: number | string, { groups }) =>
      groups.includes(String(value))
        ? {}
        : new Refused(
            `must be the group that runs holdfast (${groups[0]}): sudo -g ${value} holdfast start …, or holdfast unit --group=${value}`,
          ),
  },
  autostart: { kinds: ['boolean'], verdict: 'taken', says: 'false: only started where --only names it' },
  namespace: {
    kinds: ['text'],
    verdict: 'ignored',
    says: 'there are names alone; --only takes several',
    isUsual: (value) => value === 'default',
  },
  name_prefix: { kinds: ['text'], verdict: 'ignored', says: 'write it into the name' },
  force: {
    kinds: ['boolean'],
    verdict: 'ignored',
    says: 'a name is taken by one supervisor; give another one',
    isUsual: off,
  },
  execute_command: { kinds: ['boolean'], verdict: 'ignored', says: 'holdfast finds out by itself what a script is' },
  pid_file: { aliases: ['pid'], kinds: ['text'], verdict: 'ignored', says: 'holdfast status --json has the PIDs' },
  post_update: {
    kinds: ['list'],
    verdict: 'ignored',
    says: "of PM2's dashboard; beforeReload runs a command before a reload",
    isUsual: empty,
  },
  vizion: { kinds: ['boolean'], verdict: 'ignored', says: 'holdfast reads no version control', isUsual: off },
  install_url: { kinds: ['text'], verdict: 'ignored', says: "of PM2's modules" },
  kill_retry_time: {
    kinds: ['number'],
    verdict: 'ignored',
    says: 'holdfast is told by the system when a worker has ended',
  },
  username: { kinds: ['text'], verdict: 'ignored', says: 'PM2 writes it itself' },
  windowsHide: { kinds: ['boolean'], verdict: 'ignored', says: 'of Windows' },
  write: { kinds: ['boolean'], verdict: 'ignored', says: "of PM2's command line" },
  trace: { kinds: ['boolean'], verdict: 'ignored', says: APM, isUsual: off },
  disable_trace: { kinds: ['boolean'], verdict: 'ignored', says: APM, isUsual: on },
  v8: { kinds: ['boolean'], verdict: 'ignored', says: APM, isUsual: off },
  event_loop_inspector: { kinds: ['boolean'], verdict: 'ignored', says: APM, isUsual: off },
  deep_monitoring: { kinds: ['boolean'], verdict: 'ignored', says: APM, isUsual: off },
  pmx: { kinds: ['boolean', 'text'], verdict: 'ignored', says: APM, isUsual: off },
  automation: { kinds: ['boolean'], verdict: 'ignored', says: APM, isUsual: off },
  io: { kinds: ['object'], verdict: 'ignored', says: APM },
};

/** PM2 also takes each of its names in camel case: `maxMemoryRestart`. */
export const KEY_OF_NAME: ReadonlyMap<string, string> = new Map(
  Object.entries(PM2_KEYS).flatMap(([key, { aliases = [] }]) =>
    [key, camelCase(key), ...aliases].map((name) => [name, key] as const),
  ),
);

function camelCase(key: string): string {
  return key.replace(/_([a-z0-9])(?=[a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
