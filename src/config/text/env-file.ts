/**
 * The file of environment variables for the workers. Its values are secrets: nothing here may show one.
 */
import { parseEnv } from 'node:util';
import { readTextFile } from './text-file.js';

/**
 * Reads a file in dotenv format, as `node --env-file` does.
 * https://nodejs.org/api/cli.html#--env-fileconfig
 *
 * @param file absolute path
 * @throws Unreadable
 */
export async function readEnvFile(file: string): Promise<Record<string, string>> {
  const variables = Object.entries(parseEnv(await readTextFile(file)));
  return Object.fromEntries(variables.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
