/**
 * Options from HOLDFAST_* variables: `readyTimeout` is HOLDFAST_READY_TIMEOUT. An empty variable counts as not given.
 */

import { didYouMean } from '../../nearest.js';
import { SETTING_NAMES, SETTINGS, type SettingName } from '../schema/schema.js';
import { fromText, type Given, type Layer } from './layer.js';

export const ENVIRONMENT = 'environment';
const PREFIX = 'HOLDFAST_';

/** Not options: what a worker is told, where the control socket is, and what a program gives to a supervisor of its own. */
const RESERVED = new Set(
  [
    ...['SLOT', 'GENERATION', 'RUNTIME_DIR', 'WORKER', 'OPTIONS', 'BOND', 'ATTACH'],
    // Of a hook, which may start something itself.
    ...['EVENT', 'HOST', 'TIME', 'OTHER_GENERATION', 'REASON'],
  ].map((word) => `HOLDFAST_${word}`),
);

/**
 * What Kubernetes puts into every container for services that are called `holdfast` or `holdfast-…`.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const OF_A_SERVICE = /^HOLDFAST_(?:PORT|SERVICE_|.+_SERVICE_(?:HOST|PORT)|.+_PORT(?:$|_\d+_(?:TCP|UDP|SCTP)))/;

/** The variables that are options, by name. Pairs are none: a variable for the workers is simply set. */
const OPTION_OF = new Map<string, SettingName>(
  SETTING_NAMES.filter((name) => SETTINGS[name].reading !== 'pairs').map((name) => [variableOf(name), name]),
);

/** `readyTimeout` → `HOLDFAST_READY_TIMEOUT` */
export function variableOf(name: SettingName): string {
  return PREFIX + name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase();
}

export interface EnvironmentRead {
  readonly layer: Layer;
  /** About variables that look like options and are none. */
  readonly warnings: readonly string[];
}

export function readEnvironment(env: NodeJS.ProcessEnv, base: string): EnvironmentRead {
  const given = new Map<SettingName, Given>();
  const warnings: string[] = [];
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable];
    if (!variable.startsWith(PREFIX) || text === undefined || text === '') continue;
    const name = OPTION_OF.get(variable);
    if (name !== undefined) {
      given.set(name, { path: variable, raw: fromText(name, text) });
    } else if (!RESERVED.has(variable) && !OF_A_SERVICE.test(variable)) {
      warnings.push(
        `${variable} in the environment is not an option and is ignored${didYouMean(variable, OPTION_OF.keys())}`,
      );
    }
  }
  return { layer: { source: ENVIRONMENT, base, given }, warnings };
}
