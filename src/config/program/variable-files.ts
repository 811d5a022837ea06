/** Files of variables that a command reads before it starts something. Their values are secrets: nothing here may show one. */
import path from 'node:path';
import { parseEnv } from 'node:util';
import { readTextFile, Unreadable } from '../text/text-file.js';
import { expandVariables } from './command/shell-text.js';
import type { EnvFile } from './command/step.js';
import { isFile } from './package/manifest.js';

/**
 * @param env what there is already
 * @returns what the file sets
 * @throws Unreadable
 */
export async function readVariables(
  { file, overrides, expands, mayBeMissing }: EnvFile,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<Record<string, string>> {
  const full = path.resolve(cwd, file);
  if (mayBeMissing && !(await isFile(full))) return {};
  const found: Record<string, string> = {};
  for (const [name, text = ''] of Object.entries(parseEnv(await readTextFile(full)))) {
    if (!overrides && env[name] !== undefined) continue;
    const value = expands ? expandVariables(text, { ...env, ...found }) : text;
    if (value === null) throw new Unreadable(`must have plain values in ${full}; ${name} needs a shell`);
    found[name] = value;
  }
  return found;
}
