/** Finds a program that is not Node, as a shell does: by its path, or on the PATH. */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { reasonFor, Unreadable } from '../text/text-file.js';
import { defaultName } from './default-name.js';
import type { Program } from './program.js';

/**
 * @param word the program as its owner names it
 * @throws Unreadable with what is wrong with it
 */
export async function findNativeProgram(
  word: string,
  { cwd, env, args }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly args: readonly string[] },
): Promise<Program> {
  const file = word.includes('/') ? path.resolve(cwd, word) : onPath(word, cwd, env);
  if (file === null) {
    const here = fault(path.resolve(cwd, word)) === null ? `; write ./${word} for the one in ${cwd}` : '';
    throw new Unreadable(`must be a program; there is no ${word} on the PATH${here}`);
  }
  const wrong = fault(file);
  if (wrong instanceof Error) throw new Unreadable(await reasonFor(file, wrong), { cause: wrong });
  if (wrong !== null) throw new Unreadable(wrong);
  const script = word.includes('/') ? word : file;
  const said = word.includes('/') ? null : `${word} → ${file}`;
  return { script, args, nodeArgs: [], env: {}, cwd, said, name: defaultName(file) };
}

function onPath(word: string, cwd: string, env: NodeJS.ProcessEnv): string | null {
  const folders = (env.PATH ?? '/usr/local/bin:/usr/bin:/bin').split(':');
  const files = folders.map((folder) => path.resolve(cwd, folder, word));
  return files.find((file) => fault(file) === null) ?? null;
}

/** null for a file that can be run; an error of the system where there is none. */
function fault(file: string): string | Error | null {
  try {
    if (statSync(file).isDirectory()) return `must be a program; ${file} is a folder`;
  } catch (error) {
    return error as Error;
  }
  try {
    accessSync(file, constants.X_OK);
    return null;
  } catch {
    return `must be a program that may be run; ${file} is not executable: chmod +x ${file}, or give what runs it: --exec -- python3 ${path.basename(file)}`;
  }
}
