/** What a chaos run needs of the machine beside processes, where it may have it: a small disk, and a cgroup that can be frozen. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { pause } from './launch.js';

const TINY_DISK = 'size=256k,nr_inodes=64';

/** @returns whether it could be */
export function mountTiny(folder) {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=0700,${TINY_DISK}`, 'holdfast-chaos', folder], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** @returns a cgroup (version 1) that can be frozen, or null where none can be made */
export function makeFreezer() {
  const folder = `/sys/fs/cgroup/freezer/holdfast-chaos-${process.pid}`;
  try {
    mkdirSync(folder);
    return folder;
  } catch {
    return null;
  }
}

/** It is busy until the last of its processes has really gone. */
export async function removeFreezer(folder) {
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await pause(50);
    }
  }
}
