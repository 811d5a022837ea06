/**
 * From an application of PM2's file to options of holdfast. Pure: the same application on the same machine comes to the same options.
 */
import path from 'node:path';
import { didYouMean } from '../../nearest.js';
import type { Given } from '../layers/layer.js';
import { formatDuration, parseDuration } from '../schema/duration.js';
import { type Fault, show } from '../schema/fault.js';
import type { SettingName } from '../schema/schema.js';
import {
  type Facts,
  KEY_OF_NAME,
  type Kind,
  type Options,
  PM2_KEYS,
  type Pm2Key,
  Refused,
  type Verdict,
} from './keys.js';
import { fitName, nameOfScript, variablesOf } from './values.js';

/** What has become of one key that the file has. */
export interface Note {
  /** As the file spells it. */
  readonly key: string;
  readonly verdict: Verdict;
  readonly says: string;
}

export interface Translated {
  /** Fit for `--only`; '' where there is neither name nor script. */
  readonly name: string;
  /** As the file has it. */
  readonly givenName: string;
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly notes: readonly Note[];
  readonly faults: readonly Omit<Fault, 'source'>[];
  /** PM2 is told not to start it. */
  readonly isLeftOut: boolean;
}

export interface TranslateOptions {
  /** Where it is in the file: `apps[0].`, or '' for all of it. */
  readonly at: string;
  /** `production` for `--env production`; null for none. */
  readonly environment: string | null;
  /** Variables of `deploy.production.env`, the weakest. */
  readonly deployed: Readonly<Record<string, unknown>>;
  readonly facts: Facts;
}

const KIND_TEXT: Record<Kind, string> = {
  text: 'text',
  number: 'a number',
  boolean: 'true or false',
  list: 'a list',
  object: 'an object',
};
const ENVIRONMENT_KEY = /^env_(\S+)$/;
/** PM2's own, where the file says nothing. */
const PM2_MIN_UPTIME_MS = 1_000;
const PM2_MAX_RESTARTS = 16;
/** holdfast's. */
const BACKOFF = { backoffBase: '100ms', backoffMax: '30s', backoffFactor: 2 };
const READY_TIMEOUT_MS = 30_000;
const DAY_MS = 86_400_000;

interface Entry {
  readonly key: string;
  readonly spelled: string;
  readonly value: unknown;
}

export function translateApp(app: Readonly<Record<string, unknown>>, options: TranslateOptions): Translated {
  const { at, environment, facts } = options;
  const notes: Note[] = [];
  const faults: Omit<Fault, 'source'>[] = [];
  const given = new Map<SettingName, Given>();
  const entries = new Map<string, Entry>();
  // Without a key it comes of what the application does not say.
  const give = (options: Options, spelled: string) => {
    const path = spelled === '' ? at.replace(/\.$/, '') : `${at}${spelled}`;
    for (const [option, raw] of Object.entries(options)) given.set(option as SettingName, { path, raw });
  };

  for (const [spelled, raw] of Object.entries(app)) {
    if (raw === undefined || raw === null) continue;
    const key = ENVIRONMENT_KEY.test(spelled) ? 'env_*' : KEY_OF_NAME.get(spelled);
    if (key === undefined) {
      notes.push({
        key: spelled,
        verdict: 'ignored',
        says: `PM2 has no such key${didYouMean(spelled, KEY_OF_NAME.keys())}`,
      });
      continue;
    }
    const row = PM2_KEYS[key] as Pm2Key;
    const value = asKind(raw, row.kinds);
    if (value === undefined) {
      faults.push({ path: `${at}${spelled}`, value: shown(key, raw), allowed: `must be ${kindsText(row.kinds)}` });
      continue;
    }
    // The name itself wins over its aliases.
    if (key !== 'env_*' && entries.has(key) && spelled !== key) continue;
    entries.set(key === 'env_*' ? spelled : key, { key, spelled, value });
  }

  // In the order of the table, so that which of two keys wins does not depend on the file.
  for (const key of Object.keys(PM2_KEYS)) {
    for (const { spelled, value } of [...entries.values()].filter((entry) => entry.key === key)) {
      const row = PM2_KEYS[key] as Pm2Key;
      const options = row.options?.(value as never, facts) ?? {};
      if (options instanceof Refused) {
        faults.push({ path: `${at}${spelled}`, value: shown(key, value), allowed: options.reason });
        notes.push({ key: spelled, verdict: row.verdict, says: row.says });
        continue;
      }
      give(options, spelled);
      if (key === 'env_*' && spelled !== `env_${environment}`) {
        notes.push({ key: spelled, verdict: 'ignored', says: `only with --env ${spelled.slice(4)}` });
        continue;
      }
      notes.push({ key: spelled, verdict: row.isUsual?.(value) ? 'taken' : row.verdict, says: row.says });
    }
  }

  const valueAt = (key: string) => entries.get(key)?.value;
  const spelling = (key: string) => entries.get(key)?.spelled ?? key;
  combine(given, valueAt, give, spelling);
  const sources: readonly (readonly [place: string, variables: object | undefined])[] = [
    [`deploy.${environment}.env`, options.deployed],
    [`${at}${spelling('env')}`, valueAt('env') as object | undefined],
    [`${at}${spelling('port')}`, valueAt('port') === undefined ? {} : { PORT: valueAt('port') }],
    [`${at}env_${environment}`, environment === null ? {} : (valueAt(`env_${environment}`) as object | undefined)],
  ];
  const variables = variablesOf(Object.assign({}, ...sources.map(([, variables]) => variables)));
  const members = Object.fromEntries(
    sources.flatMap(([place, variables]) => Object.keys(variables ?? {}).map((name) => [name, place])),
  );
  if (Object.keys(variables).length > 0) given.set('env', { path: `${at}env`, raw: variables, members });
  if (environment !== null && !entries.has(`env_${environment}`) && Object.keys(options.deployed).length === 0) {
    notes.push({ key: `env_${environment}`, verdict: 'ignored', says: 'the application has none: env alone counts' });
  }

  const script = valueAt('script');
  const byScript = typeof script === 'string' ? nameOfScript(script) : '';
  const plain = String(valueAt('name') ?? byScript);
  const suffix = valueAt('append_env_to_name') === true && environment !== null ? `-${environment}` : '';
  // Of a name in another script nothing may be left.
  const name = fitName(`${fitName(plain) === '' ? byScript : plain}${suffix}`);
  if (name !== '') give({ name }, spelling(entries.has('name') ? 'name' : 'script'));
  if (name !== plain && entries.has('name') && suffix === '') {
    const index = notes.findIndex(({ key }) => key === 'name');
    notes.splice(index, 1, {
      key: 'name',
      verdict: 'other',
      says: `${name || 'the default'}: a name has letters from A to Z, digits, "_", "." and "-"`,
    });
  }
  return { name, givenName: plain, given, notes, faults, isLeftOut: valueAt('autostart') === false };
}

/** What several keys come to together. */
function combine(
  given: Map<SettingName, Given>,
  valueAt: (key: string) => unknown,
  give: (options: Options, spelled: string) => void,
  spelling: (key: string) => string,
): void {
  const forks = whatForks(valueAt);
  if (forks !== null && !given.has('ready')) give({ ready: 'running' }, forks === '' ? '' : spelling(forks));

  if (valueAt('source_map_support') === true && valueAt('disable_source_map_support') !== true) {
    const own = (given.get('nodeArgs')?.raw ?? []) as readonly unknown[];
    give({ nodeArgs: [...own, '--enable-source-maps'] }, spelling('source_map_support'));
  }

  // Where the application is, not where PM2 was started.
  const [folder, logFile] = [given.get('cwd')?.raw, given.get('logFile')];
  if (logFile !== undefined && typeof folder === 'string') {
    const file = String(logFile.raw);
    given.set('logFile', { ...logFile, raw: path.isAbsolute(file) ? file : path.join(folder, file) });
  }

  const minUptime = given.get('minUptime');
  if (given.has('maxRestarts') || minUptime !== undefined) {
    const uptimeMs = minUptime === undefined ? PM2_MIN_UPTIME_MS : msOf(minUptime);
    const restarts = Number(given.get('maxRestarts')?.raw ?? PM2_MAX_RESTARTS);
    // PM2 counts within this time, but it does not wait between two restarts as holdfast does.
    const windowMs = uptimeMs * Math.max(1, restarts) + backoffMs(given, restarts);
    const spelled = given.has('maxRestarts') ? spelling('max_restarts') : spelling('min_uptime');
    if (restarts >= 0 && restarts <= 10_000)
      give({ restartWindow: formatDuration(Math.min(DAY_MS, Math.max(1, Math.ceil(windowMs)))) }, spelled);
  }
  // What may end by itself, and soon, has not failed to start.
  if (given.has('stopExitCodes') && minUptime === undefined && given.get('ready')?.raw === 'running') {
    give({ minUptime: '1ms' }, spelling(valueAt('autorestart') === false ? 'autorestart' : 'stop_exit_codes'));
  }
  // A process that says nothing has to be up for less than it may take.
  if (given.get('ready')?.raw !== 'running') return;
  const uptimeMs = minUptime === undefined ? PM2_MIN_UPTIME_MS : msOf(minUptime);
  const timeout = given.get('readyTimeout');
  const timeoutMs = timeout === undefined ? READY_TIMEOUT_MS : msOf(timeout);
  if (timeoutMs <= uptimeMs) {
    const spelled = spelling(timeout === undefined ? 'min_uptime' : 'listen_timeout');
    give({ readyTimeout: formatDuration(Math.min(DAY_MS, uptimeMs + timeoutMs)) }, spelled);
  }
}

/**
 * Without a word PM2 takes a process for started as soon as it runs; it makes a cluster of what has a number of instances, unless
 * another program runs it: a shell, where the script has words.
 *
 * @returns the key that makes it a fork, '' where it is for want of any, null for a cluster
 */
function whatForks(valueAt: (key: string) => unknown): string | null {
  const mode = valueAt('exec_mode');
  if (mode !== undefined && String(mode).startsWith('fork')) return 'exec_mode';
  if (valueAt('execute_command') === true) return 'execute_command';
  if (mode !== undefined) return null;
  const interpreter = String(valueAt('exec_interpreter') ?? '');
  if (interpreter !== '' && !/(?:node|bun)$/.test(interpreter)) return 'exec_interpreter';
  if (String(valueAt('script') ?? '').includes(' ')) return 'script';
  return valueAt('instances') === undefined ? '' : null;
}

/** A duration that `keys.ts` has written. */
function msOf({ raw }: Given): number {
  return parseDuration(String(raw)) ?? 0;
}

/** What `count` delays in a row come to. */
function backoffMs(given: ReadonlyMap<SettingName, Given>, count: number): number {
  const factor = Number(given.get('backoffFactor')?.raw ?? BACKOFF.backoffFactor);
  let sum = 0;
  const max = parseDuration(String(given.get('backoffMax')?.raw ?? BACKOFF.backoffMax)) ?? 0;
  let delay = parseDuration(String(given.get('backoffBase')?.raw ?? BACKOFF.backoffBase)) ?? 0;
  for (let at = 0; at < Math.min(count, 10_000); at++) {
    sum += Math.min(delay, max);
    delay = Math.min(delay * factor, max);
  }
  return sum;
}

/** PM2 takes a text for the number that it says. @returns undefined where it is of none of the kinds */
function asKind(value: unknown, kinds: readonly Kind[]): unknown {
  if (typeof value === 'string') {
    const isNumber = /^-?\d+(?:\.\d+)?$/.test(value.trim());
    if (kinds.includes('number') && isNumber) return Number(value);
    return kinds.includes('text') ? value : undefined;
  }
  if (typeof value === 'number' && kinds.includes('number')) return value;
  if (typeof value === 'boolean' && kinds.includes('boolean')) return value;
  if (Array.isArray(value)) return kinds.includes('list') ? value : undefined;
  return typeof value === 'object' && kinds.includes('object') ? value : undefined;
}

function kindsText(kinds: readonly Kind[]): string {
  return kinds.map((kind) => KIND_TEXT[kind]).join(' or ');
}

/** Arguments and variables may be secrets. */
function shown(key: string, value: unknown): string | null {
  return ['args', 'env', 'env_*', 'port'].includes(key) ? null : show(value);
}
