/**
 * Makes the one frozen Config: defaults < file < environment < flags < what a program gives. Called at the start and again at each reload; reads
 * everything anew. Import it only where a configuration is loaded: the schema library behind it is heavy.
 */
import os from 'node:os';
import path from 'node:path';
import { assemble } from './assemble.js';
import type { Config } from './config.js';
import { chooseApplications, type ReadFrom, readApplications, repeatedNames } from './file/applications.js';
import { isConfigFile } from './file/config-name.js';
import { readGivenOptions } from './file/given-options.js';
import { ENVIRONMENT, readEnvironment, variableOf } from './layers/environment.js';
import { COMMAND_LINE, readFlags } from './layers/flags.js';
import { checkLayer, type Layer, Rejected } from './layers/layer.js';
import { choose } from './layers/precedence.js';
import { locate, type Uncertainty } from './locate.js';
import { type Origins, originsOf } from './origins.js';
import type { Facts } from './pm2/keys.js';
import type { Note } from './pm2/translate.js';
import type { Resources } from './resources.js';
import { ConfigError, type Fault, show } from './schema/fault.js';

export { logicalCwd } from './logical-cwd.js';

export interface ConfigSource {
  /** Script or configuration file, from the command line. */
  readonly target: string | undefined;
  /** The application's arguments, after `--`; none at all keeps the file's. */
  readonly args: readonly string[];
  /** camelCase option name → the value as yargs gave it; undefined is not given, unknown names are ignored. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: NodeJS.ProcessEnv;
  /** The logical current folder, symbolic links not resolved. */
  readonly cwd: string;
  /** Names of applications, where the file has several; all of them if not given. */
  readonly only?: readonly string[] | null;
  /** Who will run it, where that is not who asks: a unit's user. */
  readonly runsAs?: { readonly user?: string; readonly group?: string };
  /** As they are now: a limit may have been changed since the start. */
  readonly resources: Resources;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path of the configuration file, symbolic links not resolved; null if there is none. */
  readonly file: string | null;
  /** `npm start → node dist/server.js`, where the script is a command, a package or a folder. */
  readonly resolved: string | null;
  readonly warnings: readonly string[];
  /** Where its values have come from. */
  readonly origins: Origins;
}

/** Those of a file that are to be started. */
export interface LoadedApplications {
  readonly file: string | null;
  readonly isPm2s: boolean;
  readonly applications: readonly LoadedApplication[];
}

export interface LoadedApplication extends LoadedConfig {
  /** What has become of the keys of PM2's file. */
  readonly notes: readonly Note[];
}

/**
 * For who has to do with one application.
 *
 * @throws ConfigError with all faults at once
 */
export async function loadConfig(source: ConfigSource): Promise<LoadedApplication> {
  const { applications, file } = await loadApplications(source);
  const [one, second] = applications;
  if (one !== undefined && second === undefined) return one;
  const names = applications.map(({ config }) => config.name).join(', ');
  const allowed = `must be one application; there are ${applications.length}: choose with --only (${names})`;
  throw new ConfigError([{ source: file ?? COMMAND_LINE, path: 'apps', value: null, allowed }]);
}

/** @throws ConfigError with all faults at once */
export async function loadApplications(source: ConfigSource): Promise<LoadedApplications> {
  const target = source.target ?? '';
  const only = source.only ?? null;
  if (!isConfigFile(target)) {
    const { faults, application } = await loadOne(source, null);
    if (only !== null) faults.push(wrongOnly('must not be given: there is no file with several applications'));
    if (faults.length > 0) throw new ConfigError(faults);
    return { file: null, isPm2s: false, applications: [application] };
  }
  const file = path.resolve(source.cwd, target);
  const { environment, flags } = withoutEnvironment(source.flags);
  const read = await readApplications(file, {
    cwd: source.cwd,
    environment,
    facts: factsOf(source.resources, source.runsAs),
  });
  if (read.faults.length > 0) {
    // What else is wrong is told with it.
    const { faults } = await loadOne({ ...source, flags }, { file, folder: read.folder, at: '', layers: null });
    throw new ConfigError([...read.faults, ...faults]);
  }
  const { chosen, faults } = chooseApplications(read, only);
  const all = [...faults, ...repeatedNames(read.applications, file)];
  if (chosen.length > 1) all.push(...onlyForOne(source));
  const applications: LoadedApplication[] = [];
  for (const { at, layers, faults, notes } of all.length > 0 ? [] : chosen) {
    const given = read.isPm2s ? { ...source, flags } : source;
    const loaded = await loadOne(given, { file, folder: read.folder, at, layers });
    all.push(...faults, ...loaded.faults);
    applications.push({ ...loaded.application, notes });
  }
  all.push(...repeatedAdmins(applications, file));
  if (all.length > 0) throw new ConfigError(withoutRepeats(all));
  return { file, isPm2s: read.isPm2s, applications };
}

interface FromFile {
  readonly file: string;
  readonly folder: string;
  /** Where the application is in it: `apps[0].`, or ''. */
  readonly at: string;
  /** null where nothing is to be had of the file. */
  readonly layers: readonly Layer[] | null;
}

async function loadOne(
  source: ConfigSource,
  fromFile: FromFile | null,
): Promise<{ readonly application: LoadedApplication; readonly faults: Fault[] }> {
  const target = source.target ?? '';
  const file = fromFile?.file ?? null;
  const environment = readEnvironment(source.env, source.cwd);
  const fromProgram = readGivenOptions(source.env, source.cwd);
  const words = programWords(source, file);
  const layers = [
    ...(fromFile?.layers ?? []),
    environment.layer,
    readFlags(source.flags, words.args, source.cwd),
    // A program says what it means: above the environment that it happens to have.
    ...(fromProgram === null ? [] : [fromProgram.layer]),
    ...(target !== '' && file === null ? [scriptTarget(target, source)] : []),
    ...words.layers,
  ];
  const checked = layers.map(checkLayer);
  const faults = [...(fromProgram?.faults ?? []), ...checked.flatMap((layer) => layer.faults)];
  const chosen = choose(checked);
  // What has a fault already must not cause another: a script is not missed in a folder that is not the one.
  const isUncertain: Uncertainty = (name) =>
    fromFile?.layers === null || checked.some(({ layer, values }) => layer.given.has(name) && !(name in values));
  const folder = fromFile?.folder ?? source.cwd;
  const found = await locate(chosen, { folder, file, at: fromFile?.at ?? '', env: source.env, isUncertain, faults });
  const config = assemble(chosen, found, { isUncertain, resources: source.resources, faults });
  const resolved = found.program?.said ?? null;
  const warnings = [...environment.warnings, ...readableByAll(source)];
  const origins = originsOf(checked, chosen, { found, config });
  return { application: { config, file, resolved, warnings, origins, notes: [] }, faults };
}

/** `--env production` names one of PM2's environments; `--env KEY=VALUE` is a variable. */
function withoutEnvironment(flags: ConfigSource['flags']): Pick<ReadFrom, 'environment'> & Pick<ConfigSource, 'flags'> {
  const words = [flags.env ?? []].flat().map(String);
  const isName = (word: string) => /^[^\s=]+$/.test(word);
  // Given twice, the last one counts.
  const environment = words.findLast(isName) ?? null;
  const pairs = words.filter((word) => !isName(word));
  return { environment, flags: { ...flags, env: pairs.length === 0 ? undefined : pairs } };
}

/** @param runsAs who will run it, where that is not who asks */
export function factsOf({ processors }: Resources, runsAs: ConfigSource['runsAs'] = {}): Facts {
  const [uid, gid] = [String(process.getuid?.() ?? 0), String(process.getgid?.() ?? 0)];
  let name = uid;
  try {
    name = os.userInfo().username;
  } catch {
    // A user of a container that has no name.
  }
  const { user, group = user } = runsAs;
  return {
    processors,
    home: os.homedir(),
    users: user === undefined ? [name, uid] : [user],
    groups: group === undefined ? [gid, name] : [group],
  };
}

/** What only one application can have. */
function onlyForOne({ flags, env }: ConfigSource): Fault[] {
  const allowed = 'must be for one application: choose it with --only';
  const given = (['name', 'script'] as const).flatMap((name) => [
    ...(flags[name] === undefined ? [] : [{ source: COMMAND_LINE, path: `--${name}` }]),
    ...(env[variableOf(name)] ? [{ source: ENVIRONMENT, path: variableOf(name) }] : []),
  ]);
  return given.map((place) => ({ ...place, value: null, allowed }));
}

/** An address that two supervisors want: the second would not start. */
function repeatedAdmins(applications: readonly LoadedApplication[], file: string): Fault[] {
  const seen = new Map<string, string>();
  return applications.flatMap(({ config: { admin, name } }) => {
    if (admin === null) return [];
    const address = `${admin.host}:${admin.port}`;
    const other = seen.get(address);
    seen.set(address, other ?? name);
    if (other === undefined) return [];
    const allowed = `must be another address for ${name}: ${other} has it`;
    return [{ source: file, path: 'admin', value: show(address), allowed }];
  });
}

function withoutRepeats(faults: readonly Fault[]): Fault[] {
  return [...new Map(faults.map((fault) => [JSON.stringify(fault), fault])).values()];
}

function wrongOnly(allowed: string): Fault {
  return { source: COMMAND_LINE, path: '--only', value: null, allowed };
}

/** A command line is no place for secrets: every user of the machine sees it, in `ps` and in a unit. */
function readableByAll({ flags }: ConfigSource): string[] {
  const pairs = [flags.env ?? []].flat().map((pair) => String(pair).split('=', 1)[0]);
  if (pairs.length === 0) return [];
  return [
    `values of --env (${pairs.join(', ')}) can be read by every user of this machine, in ps and in a unit; put secrets into an envFile`,
  ];
}

/** `holdfast start --exec -- ./server args`: the first word behind the dashes is the program, where nothing else names one. */
function programWords(
  { target, args, flags, cwd }: ConfigSource,
  file: string | null,
): { readonly args: readonly string[]; readonly layers: readonly Layer[] } {
  const [program, ...rest] = args;
  if (
    flags.exec !== true ||
    (target ?? '') !== '' ||
    file !== null ||
    flags.script !== undefined ||
    program === undefined
  ) {
    return { args, layers: [] };
  }
  const given = new Map([['script', { path: 'program after --', raw: program }]] as const);
  return { args: rest, layers: [{ source: COMMAND_LINE, base: cwd, given }] };
}

/** `holdfast start app.js`: wins over every other way to give a script; one more on the command line is a contradiction. */
function scriptTarget(target: string, { flags, cwd }: ConfigSource): Layer {
  const raw = flags.script === undefined ? target : new Rejected('must not be given with --script as well');
  return { source: COMMAND_LINE, base: cwd, given: new Map([['script', { path: 'script', raw }]]) };
}
