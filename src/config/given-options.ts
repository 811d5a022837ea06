/** Options that a program gives to the supervisor that it starts: in one variable, as JSON, where nobody else sees them. */
import { type ConfigFileRead, readContents } from './config-file.js';
import { Unreadable } from './text-file.js';

/** Taken out of the environment before anything is started with it. */
export const GIVEN_OPTIONS = 'HOLDFAST_OPTIONS';
const SOURCE = 'options';

/** @param base the folder that relative paths start from. @returns null where there are none */
export function readGivenOptions(env: NodeJS.ProcessEnv, base: string): ConfigFileRead | null {
  const text = env[GIVEN_OPTIONS];
  if (text === undefined || text === '') return null;
  try {
    return readContents(JSON.parse(text), SOURCE, base);
  } catch (error) {
    const allowed = error instanceof Unreadable ? error.message : 'must be JSON';
    return { layer: null, faults: [{ source: SOURCE, path: GIVEN_OPTIONS, value: null, allowed }] };
  }
}
