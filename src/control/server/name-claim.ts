/**
 * One supervisor a name: decides who may have it, also when two start at once or one was killed.
 *
 * The claim is the folder `<name>.lock` with one listening socket in it, under a name that is never used again. Three
 * properties of the system make it safe without a lock that a kill could leave behind:
 *
 * - a folder can be renamed to `<name>.lock` only while nothing, or an empty folder, is there (rename(2)): one wins;
 * - the kernel ends the listening with the process, so whether a claim is alive is asked by connecting;
 * - an abandoned claim is broken by removing its own entry, which can never hit the claim of somebody else.
 *
 * Only who holds the claim touches `<name>.sock`, which is a second link to the socket in the claim.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../errors.js';
import { chmod, link, mkdir, readdir, rename, rm, rmdir, stat, unlink } from '../../files-at-once.js';
import { fetchStatus } from '../client/exchange.js';
import { checkPathLength, controlSocketPath, probeSocket } from '../socket-path.js';

/** Asked again and again while the supervisor serves: a disk that does not answer must not stop it. */
const lstat = promisify(fs.lstat);

const PID_PATIENCE_MS = 2_000;
/** Each that starts at the same time can be in the way once or twice. */
const MOST_TRIES = 100;
/**
 * The sticky bit keeps what cleaners of temporary folders take for old: they look for the path at which a socket was bound,
 * and this one has been moved (XDG Base Directory Specification; tmpfiles.d(5)).
 */
const OWN_FOLDER = 0o1700;
const OWN_SOCKET = 0o1600;

export interface NameClaim {
  /** The control socket: mode 0600. */
  readonly socketPath: string;
  /** The name of the listening socket within the claim. */
  readonly entry: string;
  /** Whether the control socket and the claim are still there: somebody may have cleaned the folder. Never rejects. */
  isIntact(): Promise<boolean>;
  /** Takes the control socket away and gives the name free. @throws the system's error */
  release(): Promise<void>;
}

/**
 * @param dir a runtime folder that is known to be safe
 * @param listen begins to listen on a path; it is called once
 * @param onTaken told when somebody else has the name, before it is asked who that is
 * @throws HoldfastError ALREADY_RUNNING with the PID of who has the name; PATH_TOO_LONG; PATH_TAKEN for a path where
 *   something lies that holdfast did not put there; RUNTIME_DIR where the system does not let us write there. Whoever
 *   called then closes what listens.
 */
export async function claimName(
  dir: string,
  name: string,
  listen: (path: string) => Promise<void>,
  onTaken: () => void = () => {},
): Promise<NameClaim> {
  try {
    return await claim(dir, name, listen, onTaken);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof HoldfastError || code === undefined) throw error;
    throw new HoldfastError('RUNTIME_DIR', `cannot take the name ${name} in runtime folder ${dir}: ${code}`, {
      hint: `${REASONS[code] ?? 'look at the folder'}, or set HOLDFAST_RUNTIME_DIR to another one`,
      cause: error,
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EROFS: 'make its file system writable',
  ENOSPC: 'make room on its file system (df, df -i)',
  EDQUOT: 'make room in your disk quota',
  EACCES: 'see who may write there',
  EPERM: 'see who may write there',
  EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE= of a unit)',
  ENFILE: 'raise fs.file-max',
};

async function claim(
  dir: string,
  name: string,
  listen: (path: string) => Promise<void>,
  onTaken: () => void,
): Promise<NameClaim> {
  // A name that others do not have at this moment, no secret: node:crypto would cost megabytes.
  const entry = Math.random().toString(16).slice(2, 10).padEnd(8, '0');
  const socketPath = controlSocketPath(dir, name);
  const candidate = path.join(path.dirname(socketPath), `.${entry}`);
  const lock = path.join(path.dirname(socketPath), `${name}.lock`);
  for (const file of [socketPath, path.join(candidate, entry), path.join(lock, entry)]) checkPathLength(file);
  const abandon = () => abandonAtOnce(socketPath, [candidate, lock], entry);
  // A signal may end the process before there is anybody to release the claim.
  process.once('exit', abandon);
  try {
    return await claimAs({ name, entry, socketPath, candidate, lock, onTaken }, listen);
  } finally {
    process.removeListener('exit', abandon);
  }
}

interface Claiming {
  readonly name: string;
  readonly entry: string;
  readonly socketPath: string;
  readonly candidate: string;
  readonly lock: string;
  readonly onTaken: () => void;
}

async function claimAs(claiming: Claiming, listen: (path: string) => Promise<void>): Promise<NameClaim> {
  const { entry, socketPath, candidate, lock } = claiming;
  await mkdir(candidate, { mode: 0o700 });
  try {
    await listen(path.join(candidate, entry));
    // Before anybody can see it: the folder around it lets nobody in either.
    await chmod(path.join(candidate, entry), OWN_SOCKET);
    await chmod(candidate, OWN_FOLDER);
    await occupy(claiming);
  } catch (error) {
    await rm(candidate, { recursive: true, force: true });
    throw error;
  }
  try {
    await clearPath(claiming);
    await link(path.join(lock, entry), socketPath);
    return claimOf({ socketPath, lock, entry }, await stat(socketPath, { bigint: true }));
  } catch (error) {
    await giveUp(lock, entry);
    throw error;
  }
}

/**
 * Removes what a supervisor has left that was killed, and nothing of one that runs: by taking the name for a moment. Never throws;
 * what cannot be removed is taken over by the next one.
 */
export async function removeAbandoned(dir: string, name: string): Promise<void> {
  const server = net.createServer((socket) => socket.destroy());
  const listen = (file: string) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(file, resolve);
    });
  try {
    const claim = await claimName(dir, name, listen);
    await claim.release();
  } catch {
    // Somebody has the name by now, or the folder cannot be written to.
  } finally {
    server.close();
  }
}

/**
 * The claim of the program that was here before an exec: its socket goes on to listen.
 *
 * @returns null where somebody has removed it meanwhile
 */
export async function claimAgain(dir: string, name: string, entry: string): Promise<NameClaim | null> {
  const socketPath = controlSocketPath(dir, name);
  const lock = path.join(path.dirname(socketPath), `${name}.lock`);
  const own = await stat(path.join(lock, entry), { bigint: true }).catch(() => null);
  const claim = own === null ? null : claimOf({ socketPath, lock, entry }, own);
  return claim !== null && (await claim.isIntact()) ? claim : null;
}

/** What has become of a claim so far. The name of its entry is nobody else's; a folder in which somebody else is stays. */
function abandonAtOnce(socketPath: string, folders: readonly string[], entry: string): void {
  for (const folder of folders) {
    const file = path.join(folder, entry);
    try {
      const isLinked = fs.lstatSync(socketPath, { throwIfNoEntry: false })?.ino === fs.lstatSync(file).ino;
      for (const one of isLinked ? [socketPath, file] : [file]) fs.unlinkSync(one);
    } catch {
      // It has not come to that.
    }
    try {
      fs.rmdirSync(folder);
    } catch {
      // Nor to that, or it is somebody else's by now.
    }
  }
}

async function giveUp(lock: string, entry: string): Promise<void> {
  await unlinkIfThere(path.join(lock, entry));
  // Another supervisor may have moved in already: then it is not empty, or not there for a moment.
  await rmdir(lock).catch(() => {});
}

function claimOf(
  { socketPath, lock, entry }: { readonly socketPath: string; readonly lock: string; readonly entry: string },
  own: { readonly ino: bigint; readonly dev: bigint },
): NameClaim {
  const isOwn = async (file: string) => {
    const found = await lstat(file, { bigint: true }).catch(() => null);
    return found !== null && found.ino === own.ino && found.dev === own.dev;
  };
  return {
    socketPath,
    entry,
    async isIntact() {
      return (await isOwn(socketPath)) && (await isOwn(path.join(lock, entry)));
    },
    async release() {
      // In this order: as soon as the claim is given up, the socket may be that of a successor.
      if (await isOwn(socketPath)) await unlinkIfThere(socketPath);
      await giveUp(lock, entry);
    },
  };
}

/** Moves the candidate to where the claim is; breaks claims whose supervisor was killed. */
async function occupy({ name, candidate, lock, onTaken }: Claiming): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    try {
      return await rename(candidate, lock);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR') throw taken(lock, 'something other than a folder is there');
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
    const entries = await readdir(lock).catch((cause: NodeJS.ErrnoException) => {
      // It has just been given up.
      if (cause.code === 'ENOENT') return [];
      throw taken(lock, `it cannot be read (${cause.code})`);
    });
    for (const entry of entries) {
      const held = path.join(lock, entry);
      if ((await probeSocket(held)) === 'listening') throw await alreadyRunning(name, held, onTaken);
      await unlinkIfThere(held).catch((cause) => {
        throw taken(held, `it is not holdfast's (${cause.code})`);
      });
    }
  }
  throw taken(lock, 'others take it again and again');
}

/** Removes what a killed supervisor left where the control socket shall be, and nothing else. */
async function clearPath({ name, socketPath, onTaken }: Claiming): Promise<void> {
  const stats = await lstat(socketPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (stats === null) return;
  if (!stats.isSocket()) throw taken(socketPath, 'a file other than a socket is there');
  if ((await probeSocket(socketPath)) === 'listening') throw await alreadyRunning(name, socketPath, onTaken);
  await unlinkIfThere(socketPath);
}

async function alreadyRunning(name: string, socketPath: string, onTaken: () => void): Promise<HoldfastError> {
  onTaken();
  const status = await fetchStatus(socketPath, PID_PATIENCE_MS).catch(() => null);
  const who = status === null ? 'which does not answer' : `with PID ${status.pid}`;
  return new HoldfastError('ALREADY_RUNNING', `cannot start ${name}: a supervisor of this name runs, ${who}`, {
    hint: `to load new code: holdfast reload ${name}; to stop it: holdfast stop ${name}; or choose another --name`,
  });
}

function taken(file: string, reason: string): HoldfastError {
  return new HoldfastError('PATH_TAKEN', `cannot open control socket ${file}: ${reason}`, {
    hint: 'move it away, or choose another --name',
  });
}

async function unlinkIfThere(file: string): Promise<void> {
  await unlink(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
