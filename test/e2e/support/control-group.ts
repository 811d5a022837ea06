/** Control groups with real limits, for who may make them. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';

const MOUNT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

export interface ControlGroup {
  readonly version: 1 | 2;
  /** A command and its first arguments, for what shall run in the group. */
  readonly wrapper: readonly string[];
  /** @param cpus null for no quota */
  limitCpus(cpus: number | null): void;
  limitMemory(bytes: number): void;
}

/** @returns why there is none, as a text */
export function makeControlGroup(t: Test, version: 1 | 2): ControlGroup | string {
  const name = `holdfast-test-${process.pid}`;
  const folders = version === 2 ? [path.join(MOUNT, name)] : ['cpu', 'memory'].map((c) => path.join(MOUNT, c, name));
  const [cpu = '', memory = cpu] = folders;
  try {
    if (version === 2 && !existsSync(path.join(MOUNT, 'cgroup.controllers'))) throw new Error('it is not mounted');
    if (version === 2) writeFileSync(path.join(MOUNT, 'cgroup.subtree_control'), '+cpu +memory');
    for (const folder of folders) mkdirSync(folder);
    if (!existsSync(path.join(cpu, version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us')))
      throw new Error('no cpu controller');
  } catch (error) {
    for (const folder of folders) if (existsSync(folder)) rmdirSync(folder);
    return `a control group of version ${version} cannot be made here: ${(error as Error).message}`;
  }
  t.teardown(() => Promise.all(folders.map(remove)));
  const enter = folders.map((folder) => `echo $$ > ${folder}/cgroup.procs`).join(' && ');
  return {
    version,
    wrapper: ['sh', '-c', `${enter} && exec "$@"`, 'sh'],
    limitCpus(cpus) {
      if (version === 2) {
        writeFileSync(path.join(cpu, 'cpu.max'), `${cpus === null ? 'max' : cpus * PERIOD_US} ${PERIOD_US}`);
      } else writeFileSync(path.join(cpu, 'cpu.cfs_quota_us'), String(cpus === null ? -1 : cpus * PERIOD_US));
    },
    limitMemory(bytes) {
      writeFileSync(path.join(memory, version === 2 ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes));
    },
  };
}

/** It is busy until the last of its processes has really gone. */
async function remove(folder: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await delay(50);
    }
  }
}
