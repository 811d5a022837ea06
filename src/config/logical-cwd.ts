/** Where the owner stands, by the name that he used. */
import { statSync } from 'node:fs';
import path from 'node:path';

/**
 * The current folder as the shell names it, symbolic links not resolved, so that a `current` link that a deployment
 * moves is followed again at each reload: `env.PWD` if it is the same folder as `physicalCwd`, else `physicalCwd`.
 */
export function logicalCwd(env: NodeJS.ProcessEnv, physicalCwd: string): string {
  const logical = env.PWD;
  // A "." or ".." in PWD is not of a shell's making, and may mean another folder once the link has moved.
  if (logical === undefined || !path.isAbsolute(logical) || path.normalize(logical) !== logical) return physicalCwd;
  const named = statSync(logical, { throwIfNoEntry: false, bigint: true });
  const actual = statSync(physicalCwd, { throwIfNoEntry: false, bigint: true });
  const isSame = named !== undefined && named.dev === actual?.dev && named.ino === actual.ino;
  return isSame ? logical : physicalCwd;
}
