/**
 * What `npm ci` has made, kept from one run to the next, as docker keeps the layer of a step: for the same step, after the same
 * steps, of the same files and by the same Node. It is most of what a build costs, and its files seldom change.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Instruction } from './dockerfile.js';

const DIR = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'holdfast-image-layers');
const UNUSED_MS = 7 * 24 * 3_600_000;

/**
 * Has the last of these steps done: what it makes is copied into the files from where it was kept, or kept.
 *
 * @param steps of the stage, up to this one
 * @param sent what is copied from
 */
export function doneOnce(steps: readonly Instruction[], sent: string, files: string, execute: () => void): void {
  const key = keyOf(steps, sent);
  if (key === null) {
    execute();
    return;
  }
  const layer = path.join(DIR, key);
  if (existsSync(layer)) {
    touch(layer);
    copyAll(layer, files);
    return;
  }
  execute();
  mkdirSync(DIR, { recursive: true, mode: 0o700 });
  removeUnused();
  const made = mkdtempSync(path.join(DIR, '.'));
  copyAll(files, made);
  touch(made);
  try {
    renameSync(made, layer);
  } catch {
    // Another test was sooner.
    rmSync(made, { recursive: true });
  }
}

/** null for a step that is always done: only what comes out of the same files and the lock file can be kept. */
function keyOf(steps: readonly Instruction[], sent: string): string | null {
  const step = steps.at(-1);
  if (step?.name !== 'RUN' || !step.text.startsWith('npm ci')) return null;
  const hash = createHash('sha256').update(JSON.stringify([process.version, process.execPath, steps]));
  for (const { name, flags, text } of steps) {
    if (name !== 'COPY') continue;
    for (const word of text.split(/\s+/).slice(0, -1)) {
      const file = path.join(sent, word);
      if (flags.from !== undefined || !statSync(file).isFile()) return null;
      hash.update(readFileSync(file)).update('\0');
    }
  }
  return hash.digest('hex');
}

function removeUnused(): void {
  for (const name of readdirSync(DIR)) {
    const one = path.join(DIR, name);
    const mtimeMs = statSync(one, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - mtimeMs > UNUSED_MS) rmSync(one, { recursive: true, force: true });
  }
}

function touch(folder: string): void {
  const now = new Date();
  utimesSync(folder, now, now);
}

/** With owners, modes and what overlayfs has marked as removed. */
function copyAll(from: string, to: string): void {
  execFileSync('cp', ['--archive', '--reflink=auto', `${from}/.`, to]);
}
