/**
 * Reads the limits of this process's control group, of both versions; see cgroups(7) of Linux. Never throws.
 *
 * All at once: the kernel makes these files from memory, and passing each to another thread and back takes longer than reading it.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface CgroupLimits {
  /** null where there are no control groups. */
  readonly version: 1 | 2 | null;
  /** How many processors' time the group gets; null for no quota. */
  readonly cpus: number | null;
  /** null for no limit. */
  readonly memoryBytes: number | null;
}

/** Version 1 says "no limit" by the largest number of pages: anything near it is none. */
const NO_LIMIT_BYTES = 2 ** 60;

/** @param root where the root of the file system is */
export function readCgroupLimits(root: string): CgroupLimits {
  const groups = parseGroups(textOf(path.join(root, 'proc/self/cgroup')));
  const mount = path.join(root, 'sys/fs/cgroup');
  const unified = groups.find(({ controllers }) => controllers.length === 0);
  const cpu = groups.find(({ controllers }) => controllers.includes('cpu'));
  const memory = groups.find(({ controllers }) => controllers.includes('memory'));
  const cpus: number[] = [];
  const bytes: number[] = [];
  if (unified !== undefined) {
    for (const folder of upwards(mount, unified.path)) {
      cpus.push(...cpuMax(textOf(path.join(folder, 'cpu.max'))));
      bytes.push(...limitOf(textOf(path.join(folder, 'memory.max'))));
    }
  }
  if (cpu !== undefined) {
    for (const folder of upwards(path.join(mount, cpu.controllers.join(',')), cpu.path)) {
      const quota = textOf(path.join(folder, 'cpu.cfs_quota_us'));
      cpus.push(...cpuMax(`${quota.trim()} ${textOf(path.join(folder, 'cpu.cfs_period_us'))}`));
    }
  }
  if (memory !== undefined) {
    for (const folder of upwards(path.join(mount, memory.controllers.join(',')), memory.path)) {
      bytes.push(...limitOf(textOf(path.join(folder, 'memory.limit_in_bytes'))));
    }
  }
  // The tightest of the group and those above it is what counts.
  const least = (numbers: readonly number[]) => (numbers.length === 0 ? null : Math.min(...numbers));
  const version = cpu !== undefined || memory !== undefined ? 1 : unified === undefined ? null : 2;
  return { version, cpus: least(cpus), memoryBytes: least(bytes) };
}

interface Group {
  /** Empty for version 2. */
  readonly controllers: readonly string[];
  readonly path: string;
}

function parseGroups(text: string): Group[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, name] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || name === undefined) return [];
    return [{ controllers: controllers === '' ? [] : controllers.split(','), path: name }];
  });
}

/** The group's folder and those above it. In a container, where the path may be that of the host, the last is its own. */
function upwards(mount: string, group: string): string[] {
  const folders: string[] = [];
  for (let name = path.posix.normalize(group); name !== '/'; name = path.posix.dirname(name)) {
    folders.push(path.join(mount, name));
  }
  return [...folders, mount];
}

/** Quota and period; a quota of `max` or -1 is none. */
function cpuMax(text: string): number[] {
  const [quota = Number.NaN, period = Number.NaN] = text.trim().split(/\s+/).map(Number);
  return quota > 0 && period > 0 ? [quota / period] : [];
}

function limitOf(text: string): number[] {
  const bytes = text.trim() === '' ? Number.NaN : Number(text);
  return bytes < NO_LIMIT_BYTES ? [bytes] : [];
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
