/**
 * Whether an application has a branch for the primary of node:cluster, which never runs here: holdfast is the primary, and every
 * worker a worker. Goes by the text of the entry file, as nobody can see what does not run.
 */
import { readFile, stat } from 'node:fs/promises';

/** What is larger has been bundled, libraries included: what it mentions says nothing of the application. */
const MOST_BYTES = 256 * 1024;

export const PRIMARY_HINT =
  'what it does where cluster.isPrimary is true never runs here: holdfast is the primary, and starts the workers (--instances)';

/** Pure. Not what only asks whether it is a worker, as libraries do. */
export function hasPrimaryBranch(text: string): boolean {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
  return /\bcluster\b/.test(code) && /\bis(?:Primary|Master)\b/.test(code) && /\bfork\s*\(/.test(code);
}

/** Never rejects. */
export async function scriptHasPrimaryBranch(script: string): Promise<boolean> {
  try {
    if ((await stat(script)).size > MOST_BYTES) return false;
    return hasPrimaryBranch(await readFile(script, 'utf8'));
  } catch {
    return false;
  }
}
