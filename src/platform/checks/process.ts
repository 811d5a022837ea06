/** Checks of what a process on this machine may do and has: open files, Node, koffi. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { socketConstants } from '../../native/constants.js';
import { ownPackage } from '../own-package.js';
import { type Check, INSTALL_KOFFI } from './check.js';
import { isInRange } from './version-range.js';

export interface OpenFilesFacts {
  /** Limits of this process; Infinity for none; null where the system does not tell. */
  readonly limits: { readonly soft: number; readonly hard: number } | null;
  readonly processors: number;
}

/** What Node itself has open, generously: epoll, event and signal pipes, standard streams. */
const NODE_FILES = 40;
/**
 * What the supervisor has open for a slot: channel and two pipes, for the old worker and the new one in a rollout, and
 * sockets in custody.
 */
const FILES_PER_SLOT = 8;
/** As many connections as an accept queue may hold by default on Linux, and then some that are being served. */
const COMFORTABLE_FILES = 4096;

export const openFiles: Check<OpenFilesFacts> = {
  id: 'openFiles',
  title: 'limit of open files',

  async collect({ root, processors }) {
    const text = await readFile(path.join(root, 'proc/self/limits'), 'utf8').catch(() => '');
    return { limits: parseOpenFiles(text), processors };
  },

  judge({ limits, processors }) {
    if (limits === null) {
      const meaning = 'how many connections a worker can have is not known';
      return { result: 'unknown', found: 'the system does not tell', meaning, remedy: 'see ulimit -n' };
    }
    const { soft, hard } = limits;
    const found = `soft ${amount(soft)}, hard ${amount(hard)} (Node raises the soft limit to the hard one itself)`;
    const remedy = 'ulimit -n 65536, LimitNOFILE=65536 in a systemd unit, --ulimit nofile=65536 for docker run';
    const needed = NODE_FILES + FILES_PER_SLOT * processors;
    if (soft < needed) {
      const meaning = `a supervisor of ${processors} workers, one for each processor, needs about ${needed}`;
      return { result: 'degraded', found, meaning, remedy };
    }
    const room = soft === Number.POSITIVE_INFINITY ? 'any number of' : `about ${Math.max(0, soft - NODE_FILES)}`;
    const meaning = `a worker has room for ${room} connections (fewer, if it opens others itself)`;
    if (soft < COMFORTABLE_FILES) return { result: 'degraded', found, meaning, remedy };
    return { result: 'ok', found, meaning, remedy: null };
  },
};

/** Of /proc/[pid]/limits, as proc(5) has it. @returns null where the line is not there */
export function parseOpenFiles(text: string): { readonly soft: number; readonly hard: number } | null {
  const [, soft, hard] = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)\s/m.exec(text) ?? [];
  if (soft === undefined || hard === undefined) return null;
  const count = (word: string) => (word === 'unlimited' ? Number.POSITIVE_INFINITY : Number(word));
  return { soft: count(soft), hard: count(hard) };
}

function amount(limit: number): string {
  return limit === Number.POSITIVE_INFINITY ? 'unlimited' : String(limit);
}

export interface NodeVersionFacts {
  /** As in `process.version`. */
  readonly version: string;
  /** `engines` of holdfast's own package. */
  readonly range: string;
}

export const nodeVersion: Check<NodeVersionFacts> = {
  id: 'nodeVersion',
  title: 'version of Node',

  async collect({ nodeVersion: version }) {
    return { version, range: ownPackage().engines.node };
  },

  judge({ version, range }) {
    const found = `${version}; supported is ${range}`;
    if (isInRange(version, range)) {
      return { result: 'ok', found, meaning: 'holdfast is tested with this line of Node', remedy: null };
    }
    return {
      result: 'degraded',
      found,
      meaning: 'nobody has tested holdfast with it: no promise is made',
      remedy: `use a version of Node that fits ${range}`,
    };
  },
};

export interface KoffiFacts {
  readonly ok: boolean;
  /** Why not. */
  readonly reason: string;
  /** Whether holdfast knows the numbers of this system's calls; without them koffi is of no use. */
  readonly systemKnown: boolean;
}

export const koffi: Check<KoffiFacts> = {
  id: 'koffi',
  title: 'koffi (calls to libc)',

  async collect({ native, platform, arch }) {
    const systemKnown = socketConstants(platform, arch) !== undefined;
    return { ok: native.ok, reason: native.ok ? '' : native.reason, systemKnown };
  },

  judge({ ok, reason, systemKnown }) {
    if (ok) {
      return {
        result: 'ok',
        found: 'loaded',
        meaning: 'holdfast can steer, look into accept queues, and be upgraded in place',
        remedy: null,
      };
    }
    return {
      result: 'missing',
      found: reason,
      meaning: 'no steering, no upgrade in place; before Node 22.12 no SO_REUSEPORT either',
      remedy: systemKnown
        ? `${INSTALL_KOFFI}; it is an optional dependency, which npm leaves out with --omit=optional`
        : 'use Linux on x64 or arm64',
    };
  },
};
