/**
 * Makes the one frozen Config: defaults < file < environment < flags. Called at the start and again at each reload; reads
 * everything anew. Import it only where a configuration is loaded: the schema library behind it is heavy.
 */
import path from 'node:path';
import { assemble } from './assemble.js';
import type { Config } from './config.js';
import { readConfigFile } from './config-file.js';
import { isConfigFile } from './config-name.js';
import { readEnvironment } from './environment.js';
import { ConfigError, type Fault } from './fault.js';
import { COMMAND_LINE, readFlags } from './flags.js';
import { checkLayer, type Layer, Rejected } from './layer.js';
import { locate, type Uncertainty } from './locate.js';
import { type Origins, originsOf } from './origins.js';
import { choose } from './precedence.js';
import type { Resources } from './resources.js';

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

/** @throws ConfigError with all faults at once */
export async function loadConfig(source: ConfigSource): Promise<LoadedConfig> {
  const target = source.target ?? '';
  const file = isConfigFile(target) ? path.resolve(source.cwd, target) : null;
  const fromFile = file === null ? null : await readConfigFile(file);
  const environment = readEnvironment(source.env, source.cwd);
  const layers = [environment.layer, readFlags(source.flags, source.args, source.cwd)];
  if (fromFile?.layer != null) layers.unshift(fromFile.layer);
  if (target !== '' && file === null) layers.push(scriptTarget(target, source));

  const checked = layers.map(checkLayer);
  const faults: Fault[] = [...(fromFile?.faults ?? []), ...checked.flatMap((layer) => layer.faults)];
  const chosen = choose(checked);
  // What has a fault already must not cause another: a script is not missed in a folder that is not the one.
  const isUncertain: Uncertainty = (name) =>
    fromFile?.layer === null || checked.some(({ layer, values }) => layer.given.has(name) && !(name in values));
  const folder = file === null ? source.cwd : path.dirname(file);
  const found = await locate(chosen, { folder, file, env: source.env, isUncertain, faults });
  const config = assemble(chosen, found, { isUncertain, resources: source.resources, faults });
  if (faults.length > 0) throw new ConfigError(faults);
  const resolved = found.program?.said ?? null;
  const warnings = [...environment.warnings, ...readableByAll(source)];
  return { config, file, resolved, warnings, origins: originsOf(checked, chosen, { found, config }) };
}

/** A command line is no place for secrets: every user of the machine sees it, in `ps` and in a unit. */
function readableByAll({ flags }: ConfigSource): string[] {
  const pairs = [flags.env ?? []].flat().map((pair) => String(pair).split('=', 1)[0]);
  if (pairs.length === 0) return [];
  return [
    `values of --env (${pairs.join(', ')}) can be read by every user of this machine, in ps and in a unit; put secrets into an envFile`,
  ];
}

/** `holdfast start app.js`: wins over every other way to give a script; one more on the command line is a contradiction. */
function scriptTarget(target: string, { flags, cwd }: ConfigSource): Layer {
  const raw = flags.script === undefined ? target : new Rejected('must not be given with --script as well');
  return { source: COMMAND_LINE, base: cwd, given: new Map([['script', { path: 'script', raw }]]) };
}
