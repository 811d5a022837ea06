/** Options that a program gives to the supervisor that it starts: in one variable, as JSON, where nobody else sees them. */
import { type ConfigFileRead, readOptions } from './config-file.js';

/** Taken out of the environment before anything is started with it. */
export const GIVEN_OPTIONS = 'HOLDFAST_OPTIONS';
const SOURCE = 'options';

/** @param base the folder that relative paths start from. @returns null where there are none */
export function readGivenOptions(env: NodeJS.ProcessEnv, base: string): ConfigFileRead | null {
  const text = env[GIVEN_OPTIONS];
  if (text === undefined || text === '') return null;
  const options = parse(text);
  const allowed = faultOf(options);
  if (allowed === null) return readOptions(options as object, SOURCE, '', base);
  const nothing = { source: SOURCE, base, given: new Map() };
  return { layer: nothing, faults: [{ source: SOURCE, path: GIVEN_OPTIONS, value: null, allowed }] };
}

/** undefined, which no JSON comes to, for what is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function faultOf(options: unknown): string | null {
  if (options === undefined) return 'must be JSON';
  if (options === null) return 'must not be empty';
  if (typeof options === 'object' && !Array.isArray(options)) return null;
  return `must be an object with options, not ${Array.isArray(options) ? 'a list' : typeof options}`;
}
