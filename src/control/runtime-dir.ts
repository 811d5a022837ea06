/**
 * The runtime folder: where the control sockets of one user's supervisors lie.
 *
 * Whoever may write to this folder can command the supervisors, so a folder that others can enter is refused.
 */
// Not of node:fs/promises, which takes longer to load than these calls take.
import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { EXIT, HoldfastError } from '../errors.js';
import { makeFolder } from '../make-folder.js';

const OTHERS = 0o077;
const CHOOSE_ANOTHER = 'set HOLDFAST_RUNTIME_DIR to a folder of your own';

/**
 * `$HOLDFAST_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/holdfast`, else `/run/holdfast` for root, else `holdfast-<uid>` in
 * the system's temporary folder. An empty variable counts as not set; so does a relative `XDG_RUNTIME_DIR`, as the
 * XDG Base Directory Specification demands.
 */
export function resolveRuntimeDir(env: Readonly<Record<string, string | undefined>>, uid: number, tmpdir: string) {
  const { HOLDFAST_RUNTIME_DIR: own, XDG_RUNTIME_DIR: xdg } = env;
  if (own) return own;
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, 'holdfast');
  return uid === 0 ? '/run/holdfast' : path.join(tmpdir, `holdfast-${uid}`);
}

/**
 * Creates the folder with mode 0700, or makes sure that the one which is there is safe.
 *
 * @param uid whose folder it must be
 * @throws HoldfastError RUNTIME_DIR_UNSAFE for a symbolic link, for what is no folder, for another user's folder, and
 *   for one that group or others may read, write or enter; RUNTIME_DIR when it cannot be created
 */
export async function ensureRuntimeDir(dir: string, uid: number = ownUid()): Promise<void> {
  // Resolved: with a slash at its end, lstat would follow a symbolic link.
  const folder = path.resolve(dir);
  try {
    makeFolder(folder, 0o700);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // Something lies there: what it is, is said below.
    if (code !== 'EEXIST') {
      throw new HoldfastError('RUNTIME_DIR', `cannot create runtime folder ${folder}: ${code}`, {
        hint: CHOOSE_ANOTHER,
        exitCode: EXIT.usage,
        cause,
      });
    }
  }
  inspect(folder, (owner) => owner === uid);
}

/**
 * Makes sure that what lies in the folder was put there by its user. Root may look into everybody's folder.
 *
 * @returns false where there is no such folder
 * @throws HoldfastError RUNTIME_DIR_UNSAFE as above
 */
export async function checkRuntimeDir(dir: string, uid: number = ownUid()): Promise<boolean> {
  return inspect(path.resolve(dir), (owner) => owner === uid || uid === 0);
}

/** The effective user's number; that of root where the system has none. */
export function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

function inspect(folder: string, isTrusted: (owner: number) => boolean): boolean {
  let stats: Stats;
  try {
    stats = lstatSync(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw new HoldfastError('RUNTIME_DIR', `cannot read runtime folder ${folder}: ${code}`, {
      hint: CHOOSE_ANOTHER,
      exitCode: EXIT.usage,
      cause,
    });
  }
  const { uid: owner, mode } = stats;
  if (stats.isSymbolicLink()) throw unsafe(folder, `it is a symbolic link of user ${owner}`, CHOOSE_ANOTHER);
  if (!stats.isDirectory()) throw unsafe(folder, `it is not a folder (its owner is user ${owner})`, CHOOSE_ANOTHER);
  if (!isTrusted(owner)) throw unsafe(folder, `it belongs to user ${owner}`, CHOOSE_ANOTHER);
  if ((mode & OTHERS) !== 0) {
    const rights = (mode & 0o777).toString(8).padStart(4, '0');
    const reason = `it belongs to user ${owner}, but others may use it too (mode ${rights})`;
    throw unsafe(folder, reason, `chmod 700 ${folder}`);
  }
  return true;
}

function unsafe(folder: string, reason: string, hint: string): HoldfastError {
  return new HoldfastError('RUNTIME_DIR_UNSAFE', `cannot use runtime folder ${folder}: ${reason}`, {
    hint,
    exitCode: EXIT.usage,
  });
}
