/** Checks of the kernel's own limits for TCP: read from /proc/sys, and tried where it can be tried. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { bindSocket } from '../../sockets/bind/bind.js';
import type { Check } from './check.js';
import { LOOPBACK } from './loopback.js';

/** What Node asks of listen(2) unless the application says otherwise; see `backlog` of `server.listen`. */
export const NODE_BACKLOG = 511;

export interface BacklogFacts {
  /** The sysctl; null where it cannot be read. */
  readonly somaxconn: number | null;
  /** What a socket got that asked for NODE_BACKLOG; null where the system does not tell. */
  readonly granted: number | null;
}

export const backlog: Check<BacklogFacts> = {
  id: 'backlog',
  title: 'net.core.somaxconn',

  async collect({ native, root }) {
    const somaxconn = await sysctl(root, 'net/core/somaxconn');
    if (!native.ok) return { somaxconn, granted: null };
    const { handle } = bindSocket({ ...LOOPBACK, port: 0 }, null, native);
    try {
      native.native.listen(handle.fd, NODE_BACKLOG);
      return { somaxconn, granted: native.native.tcpListenQueue(handle.fd)?.limit ?? null };
    } finally {
      handle.close();
    }
  },

  judge({ somaxconn, granted }) {
    const limit = granted === null ? somaxconn : Math.min(granted, somaxconn ?? granted);
    if (limit === null) return untold('how many connections may wait in an accept queue is not known');
    const found = [
      ...(somaxconn === null ? [] : [`an accept queue may hold ${somaxconn} connections`]),
      ...(granted === null
        ? []
        : [`of the ${NODE_BACKLOG} that Node asks for unless told otherwise, ${granted} are granted`]),
    ].join('; ');
    if (limit >= NODE_BACKLOG) {
      const meaning = `an application that asks for a backlog of more than ${somaxconn ?? granted} gets no more than that`;
      return { result: 'ok', found, meaning, remedy: null };
    }
    return {
      result: 'degraded',
      found,
      meaning: 'a burst of connections overflows the accept queues early: clients wait a second or more and try again',
      remedy: 'sysctl -w net.core.somaxconn=4096 (in a container: of its own network namespace)',
    };
  },
};

export interface SynBacklogFacts {
  readonly maxSynBacklog: number | null;
  /** `net.ipv4.tcp_syncookies`: with 1 or 2 a full queue of half-open connections turns nobody away. */
  readonly synCookies: number | null;
}

export const synBacklog: Check<SynBacklogFacts> = {
  id: 'synBacklog',
  title: 'net.ipv4.tcp_max_syn_backlog',

  async collect({ root }) {
    return {
      maxSynBacklog: await sysctl(root, 'net/ipv4/tcp_max_syn_backlog'),
      synCookies: await sysctl(root, 'net/ipv4/tcp_syncookies'),
    };
  },

  judge({ maxSynBacklog, synCookies }) {
    if (maxSynBacklog === null) return untold('how many connections may be half open is not known');
    const cookies = synCookies === null ? '' : `; SYN cookies are ${synCookies === 0 ? 'off' : 'on'}`;
    const found = `${maxSynBacklog} connections may be half open${cookies}`;
    if (maxSynBacklog >= NODE_BACKLOG || (synCookies ?? 0) > 0) {
      return { result: 'ok', found, meaning: 'bursts of connections from distant clients are accepted', remedy: null };
    }
    return {
      result: 'degraded',
      found,
      meaning: 'a burst from clients that are far away is cut off before it reaches the accept queues',
      remedy: 'sysctl -w net.ipv4.tcp_syncookies=1, or a tcp_max_syn_backlog of 1024 or more',
    };
  },
};

export interface MigrationFacts {
  readonly migrateReq: number | null;
}

export const migration: Check<MigrationFacts> = {
  id: 'migration',
  title: 'net.ipv4.tcp_migrate_req',

  async collect({ root }) {
    return { migrateReq: await sysctl(root, 'net/ipv4/tcp_migrate_req') };
  },

  judge({ migrateReq }) {
    const meaning =
      'not needed: it moves what waits in a socket that is closed to another, and holdfast closes no socket that is in use';
    if (migrateReq === null) {
      return { result: 'missing', found: 'not there (Linux has it from 5.14 on)', meaning, remedy: null };
    }
    return { result: 'ok', found: `${migrateReq} (${migrateReq === 0 ? 'off' : 'on'})`, meaning, remedy: null };
  },
};

function untold(meaning: string) {
  return { result: 'unknown', found: 'the system does not tell', meaning, remedy: null } as const;
}

/** @returns null where there is no such number */
async function sysctl(root: string, name: string): Promise<number | null> {
  const text = await readFile(path.join(root, 'proc/sys', name), 'utf8').catch(() => '');
  return /^\d+$/.test(text.trim()) ? Number(text) : null;
}
