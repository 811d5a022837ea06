/** Loads configurations out of a test's own folder. */

import { type ConfigSource, loadConfig } from '../../src/config/load.js';
import { ConfigError, type Fault } from '../../src/config/schema/fault.js';

/** A machine of its own, so that what comes out is the same on every one. */
export const RESOURCES = { processors: 6, memoryBytes: 4 * 1024 ** 3 };

export function sourceIn(cwd: string, source: Partial<ConfigSource> = {}): ConfigSource {
  return { target: undefined, args: [], flags: {}, env: {}, cwd, resources: RESOURCES, ...source };
}

/** The error of a configuration that must be refused. */
export async function refusal(source: ConfigSource): Promise<ConfigError> {
  try {
    await loadConfig(source);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

export async function faultsOf(source: ConfigSource): Promise<readonly Fault[]> {
  return (await refusal(source)).faults;
}
