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
import { chmod, link, lstat, mkdir, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../errors.js';
import { fetchStatus } from './exchange.js';
import { checkPathLength, controlSocketPath, probeSocket } from './socket-path.js';

const PID_PATIENCE_MS = 2_000;

export interface NameClaim {
  /** The control socket: mode 0600. */
  readonly socketPath: string;
  /** Takes the control socket away and gives the name free. */
  release(): Promise<void>;
}

/**
 * @param dir a runtime folder that is known to be safe
 * @param listen begins to listen on a path; it is called once
 * @throws HoldfastError ALREADY_RUNNING with the PID of who has the name; PATH_TOO_LONG; PATH_TAKEN for a path where
 *   something lies that holdfast did not put there. Whoever called then closes what listens.
 */
export async function claimName(
  dir: string,
  name: string,
  listen: (path: string) => Promise<void>,
): Promise<NameClaim> {
  // A name that others do not have at this moment, no secret: node:crypto would cost megabytes.
  const entry = Math.random().toString(16).slice(2, 10).padEnd(8, '0');
  const socketPath = controlSocketPath(dir, name);
  const candidate = path.join(path.dirname(socketPath), `.${entry}`);
  const claim = path.join(path.dirname(socketPath), `${name}.lock`);
  for (const file of [socketPath, path.join(candidate, entry), path.join(claim, entry)]) checkPathLength(file);

  await mkdir(candidate, { mode: 0o700 });
  try {
    await listen(path.join(candidate, entry));
    // Before anybody can see it: the folder around it lets nobody in either.
    await chmod(path.join(candidate, entry), 0o600);
    await occupy(name, candidate, claim);
  } catch (error) {
    await rm(candidate, { recursive: true, force: true });
    throw error;
  }
  const giveUp = async () => {
    await unlinkIfThere(path.join(claim, entry));
    // Another supervisor may have moved in already: then it is not empty, or not there for a moment.
    await rmdir(claim).catch(() => {});
  };
  try {
    await clearPath(name, socketPath);
    await link(path.join(claim, entry), socketPath);
  } catch (error) {
    await giveUp();
    throw error;
  }
  return {
    socketPath,
    async release() {
      // In this order: as soon as the claim is given up, the socket may be that of a successor.
      await unlinkIfThere(socketPath);
      await giveUp();
    },
  };
}

/** Moves the candidate to where the claim is; breaks claims whose supervisor was killed. */
async function occupy(name: string, candidate: string, claim: string): Promise<void> {
  for (;;) {
    try {
      return await rename(candidate, claim);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR') throw taken(claim, 'something that is no folder lies there');
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
    for (const entry of await readdir(claim).catch(() => [])) {
      const held = path.join(claim, entry);
      if ((await probeSocket(held)) === 'listening') throw await alreadyRunning(name, held);
      await unlinkIfThere(held).catch((cause) => {
        throw taken(held, `it is not holdfast's (${cause.code})`);
      });
    }
  }
}

/** Removes what a killed supervisor left where the control socket shall be, and nothing else. */
async function clearPath(name: string, socketPath: string): Promise<void> {
  const stats = await lstat(socketPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (stats === null) return;
  if (!stats.isSocket()) throw taken(socketPath, 'a file that is no socket lies there');
  if ((await probeSocket(socketPath)) === 'listening') throw await alreadyRunning(name, socketPath);
  await unlinkIfThere(socketPath);
}

async function alreadyRunning(name: string, socketPath: string): Promise<HoldfastError> {
  const status = await fetchStatus(socketPath, PID_PATIENCE_MS).catch(() => null);
  const who = status === null ? 'which does not answer' : `with PID ${status.pid}`;
  return new HoldfastError('ALREADY_RUNNING', `cannot start ${name}: a supervisor of this name runs, ${who}`, {
    hint: `choose another name with --name, or stop that one with: holdfast stop --name ${name}`,
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
