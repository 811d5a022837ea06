/**
 * Finds the application's entry file where its owner names it.
 */
import path from 'node:path';
import { access, constants, stat } from '../../files-at-once.js';
import { reasonFor, Unreadable } from '../text/text-file.js';
import { defaultName } from './default-name.js';
import type { Program } from './program.js';

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts'];

/** Those that Node runs as they are, whatever is in them. */
const PLAIN = /\.(?:[cm]?[jt]s|jsx|tsx)$/;

/**
 * The script as it can be run: its owner's spelling, with the extension that was left off; null where it is no file of this
 * kind, and may be a program, a folder or a command: see `resolve.ts`.
 *
 * @param script as written
 * @param cwd absolute path that it is relative to
 * @throws Unreadable
 */
export async function findScript(script: string, cwd: string): Promise<string | null> {
  const file = path.resolve(cwd, script);
  const stats = await stat(file).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw new Unreadable(await reasonFor(file, error), { cause: error });
  });
  if (stats?.isFile()) {
    await access(file, constants.R_OK).catch(async (error: unknown) => {
      throw new Unreadable(await reasonFor(file, error), { cause: error });
    });
    return PLAIN.test(file) ? script : null;
  }
  // As node does, a file comes before a folder of the same name.
  for (const extension of /[/\\.]$/.test(script) ? [] : EXTENSIONS) {
    if (await isFile(file + extension)) return script + extension;
  }
  return null;
}

/** A script that needs nothing else. */
export function plainScript(script: string, { cwd, args }: Pick<Program, 'cwd' | 'args'>): Program {
  return { script, args, nodeArgs: [], env: {}, cwd, said: null, name: defaultName(path.resolve(cwd, script)) };
}

const LOADS =
  /(?:^|\s)(?:-r|--require|--import|--loader|--experimental-(?:loader|strip-types|transform-types))(?=[\s=]|$)/;

/** Whether this Node runs TypeScript by itself: from 22.18 and 23.6 on. */
export function stripsTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: string | false }).typescript);
}

/**
 * What is missing for a script in TypeScript, where nothing is loaded that may run it.
 *
 * @param options of node, and NODE_OPTIONS
 */
export function typesFault(script: string, options: readonly string[], strips = stripsTypes()): string | null {
  if (strips || !/\.[cm]?tsx?$/.test(script) || options.some((option) => LOADS.test(option))) return null;
  return `must be JavaScript; Node ${process.versions.node} strips no types: npm install tsx, and add --node-args=--import=tsx`;
}

async function isFile(file: string): Promise<boolean> {
  const stats = await stat(file).catch(() => null);
  return stats?.isFile() ?? false;
}
