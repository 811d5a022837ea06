/** Programs of packages, by their names: where they are, and what they are. */
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { reasonFor, Unreadable } from '../../text/text-file.js';
import { type Executable, executableOf } from './executable.js';
import { entryOf, isFile, manifestIn, programOf, upwards } from './manifest.js';

const HEAD_BYTES = 16 * 1024;
const MOST_LINKS = 16;

/**
 * A program by its bare name: of a package that is installed here or above, as npm finds it; a package by its own name; else
 * on the PATH.
 *
 * @returns absolute path, only its own links followed: `current` stays the link that a deployment moves
 * @throws Unreadable
 */
export async function findInstalled(name: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of upwards(cwd)) {
    const modules = path.join(folder, 'node_modules');
    const program = path.join(modules, '.bin', name);
    if (await isFile(program)) return throughLinks(program);
    const manifest = await manifestIn(path.join(modules, name));
    const entry = manifest === null ? null : (programOf(manifest) ?? (await entryOf(manifest)));
    if (entry !== null && (await isFile(entry))) return entry;
  }
  if (name.includes('/')) return null;
  for (const folder of (env.PATH ?? '').split(path.delimiter)) {
    const program = path.join(folder, name);
    if (path.isAbsolute(folder) && (await isFile(program))) return throughLinks(program);
  }
  return null;
}

/** Names of programs that are installed here or above, for who has mistyped one. */
export async function installedNames(cwd: string): Promise<string[]> {
  const folders = upwards(cwd).map((folder) => path.join(folder, 'node_modules/.bin'));
  return (await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])))).flat();
}

/** Folders of installed programs, from here upwards, as npm puts them before the PATH. */
export async function programFolders(cwd: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of upwards(cwd)) {
    const programs = path.join(folder, 'node_modules/.bin');
    if ((await lstat(programs).catch(() => null))?.isDirectory()) found.push(programs);
  }
  return found;
}

/** @throws Unreadable */
export async function inspect(file: string): Promise<Executable> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return executableOf(buffer.toString('latin1', 0, bytesRead), file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new Unreadable(await reasonFor(file, error), { cause: error });
  }
}

/** Where a link leads, those of its folders not followed. */
export async function throughLinks(file: string): Promise<string> {
  let now = file;
  for (let count = 0; count < MOST_LINKS; count++) {
    const stats = await lstat(now).catch(() => null);
    if (!stats?.isSymbolicLink()) return now;
    now = path.resolve(path.dirname(now), await readlink(now));
  }
  return file;
}

/** Whether a package can be loaded from here. */
export async function hasPackage(name: string, cwd: string): Promise<boolean> {
  for (const folder of upwards(cwd)) {
    if ((await manifestIn(path.join(folder, 'node_modules', name))) !== null) return true;
  }
  // It has no folders to look into.
  return (await plugAndPlay(cwd)).length > 0;
}

/** What Yarn has every Node load where there is no node_modules: options of node. https://yarnpkg.com/features/pnp */
export async function plugAndPlay(cwd: string): Promise<string[]> {
  for (const folder of upwards(cwd)) {
    const hook = path.join(folder, '.pnp.cjs');
    const loader = path.join(folder, '.pnp.loader.mjs');
    if (!(await isFile(hook))) continue;
    return [`--require=${hook}`, ...((await isFile(loader)) ? [`--experimental-loader=${pathToFileURL(loader)}`] : [])];
  }
  return [];
}
