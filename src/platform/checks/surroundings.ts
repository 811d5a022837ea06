/** What holdfast runs in: systemd, a container, and the limits of its control group. To inform, mostly. */
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { usableProcessors } from '../resources.js';
import { type CgroupLimits, readCgroupLimits } from './cgroup.js';
import type { Check } from './check.js';

export interface SystemdFacts {
  /** Name of the process with PID 1; null where the system does not tell. */
  readonly init: string | null;
  /** NOTIFY_SOCKET is set: this is a service that systemd waits for. */
  readonly notifySocket: boolean;
  /** null where there is no systemctl. */
  readonly version: number | null;
}

/** systemd.service(5): `Type=notify-reload`. */
const NOTIFY_RELOAD_SINCE = 253;

export const systemd: Check<SystemdFacts> = {
  id: 'systemd',
  title: 'systemd',

  async collect({ root, env }, signal) {
    const init = await readFile(path.join(root, 'proc/1/comm'), 'utf8').catch(() => null);
    return {
      init: init?.trim() ?? null,
      notifySocket: Boolean(env.NOTIFY_SOCKET),
      version: await versionOf(env, signal),
    };
  },

  judge({ init, notifySocket, version }) {
    const found = [
      init === null ? 'PID 1 is not visible' : `PID 1 is ${init}`,
      version === null ? 'there is no systemctl' : `systemctl is of version ${version}`,
      ...(notifySocket ? ['NOTIFY_SOCKET is set'] : []),
    ].join(', ');
    if (init !== 'systemd') {
      const meaning = 'not needed: holdfast runs as well under another init, or as the first process of a container';
      return { result: 'missing', found, meaning, remedy: null };
    }
    const old = version !== null && version < NOTIFY_RELOAD_SINCE;
    const meaning = old
      ? `holdfast can run as a service; Type=notify-reload needs ${NOTIFY_RELOAD_SINCE}`
      : 'holdfast can run as a service';
    return { result: 'ok', found, meaning, remedy: null };
  },
};

async function versionOf(
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)('systemctl', ['--version'], { env, signal, killSignal: 'SIGKILL' });
    const [, version] = /^systemd (\d+)/.exec(stdout) ?? [];
    return version === undefined ? null : Number(version);
  } catch {
    return null;
  }
}

export interface ContainerFacts {
  /** What tells that it is one; null if nothing does. */
  readonly sign: string | null;
  readonly limits: CgroupLimits;
  readonly processors: number;
}

const SIGNS = ['.dockerenv', 'run/.containerenv', 'run/systemd/container'];

export const container: Check<ContainerFacts> = {
  id: 'container',
  title: 'container and control group',

  async collect({ root, env, processors }) {
    const limits = readCgroupLimits(root);
    for (const file of SIGNS) {
      const there = await access(path.join(root, file)).then(
        () => true,
        () => false,
      );
      if (there) return { sign: `/${file}`, limits, processors };
    }
    const variable = ['container', 'KUBERNETES_SERVICE_HOST'].find((name) => env[name]);
    return { sign: variable === undefined ? null : `$${variable}`, limits, processors };
  },

  judge({ sign, limits: { version, cpus, memoryBytes }, processors }) {
    const found = [
      sign === null ? 'no container' : `a container (${sign})`,
      version === null ? 'no control group' : `cgroup v${version}`,
      cpus === null ? 'no CPU quota' : `a CPU quota of ${round(cpus)}`,
      memoryBytes === null ? 'no memory limit' : `a memory limit of ${Math.floor(memoryBytes / 2 ** 20)} MiB`,
      `${processors} ${processors === 1 ? 'processor' : 'processors'}`,
    ].join(', ');
    const workers = usableProcessors(cpus, processors);
    const meaning = `instances: max is ${workers} here`;
    if (cpus !== null && cpus < 1) {
      return {
        result: 'degraded',
        found,
        meaning: `${meaning}, and the kernel pauses even that worker when it is busy`,
        remedy: 'a quota of at least one processor',
      };
    }
    return {
      result: 'ok',
      found,
      meaning: workers < processors ? `${meaning}, because of the quota` : meaning,
      remedy: null,
    };
  },
};

function round(cpus: number): number {
  return Math.round(cpus * 100) / 100;
}
