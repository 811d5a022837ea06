/** Options that a program gives to the supervisor that it starts: in one variable, as JSON, where nobody else sees them. */
import { type ConfigFileRead, readOptions } from './config-file.js';

/** Taken out of the environment before anything is started with it. */
export const GIVEN_OPTIONS = 'HOLDFAST_OPTIONS';
const SOURCE = 'options';

/** @param base the folder that relative paths start from. @returns null where there are none */
export function readGivenOptions(env: NodeJS.ProcessEnv, base: string): ConfigFileRead | null {
  const text = env[GIVEN_OPTIONS];
  if (text === undefined || text === '') return null;
  let options: unknown;
  try {
    options = JSON.parse(text);
  } catch {
    // Told with all else that is no object.
  }
  if (typeof options === 'object' && options !== null && !Array.isArray(options))
    return readOptions(options, SOURCE, '', base);
  const allowed = 'must be a JSON object with options';
  const nothing = { source: SOURCE, base, given: new Map() };
  return { layer: nothing, faults: [{ source: SOURCE, path: GIVEN_OPTIONS, value: null, allowed }] };
}
