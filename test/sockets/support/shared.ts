/** Sockets that all workers share, with a store that only remembers. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { loadNative } from '../../../src/native/libc.js';
import { bindPath, bindUdp, withoutName } from '../../../src/sockets/bind/shared-bind.js';
import { SharedSockets } from '../../../src/sockets/custody/shared.js';
import { type InheritedShared, nameOf } from '../../../src/sockets/inherit.js';
import type { Keeper } from '../../../src/sockets/keeping.js';

export const native = loadNative();

export function folder(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const unix = (at: string) =>
  ({ kind: 'unix', path: at, umask: 0o22, readableAll: false, writableAll: false }) as const;

export const udp = (port: number, more: object = {}) =>
  ({ kind: 'udp', host: '127.0.0.1', port, family: 4, ipv6Only: false, reuseAddr: false, ...more }) as const;

/** What the keeper has been told, in its order. */
export function keeper() {
  const said: string[] = [];
  let dropped = () => {};
  const it: Keeper = {
    keep: (name) => void said.push(`keep ${name}`),
    drop(name) {
      said.push(`drop ${name}`);
      return new Promise((resolve) => {
        dropped = resolve;
      });
    },
  };
  return { it, said, finish: () => dropped() };
}

export function sharedOf(t: Test, inherited: InheritedShared[] = [], kept: Keeper | null = null, more: object = {}) {
  const known: string[] = [];
  const shared = new SharedSockets({
    owner: 'shop',
    native,
    inherited,
    keeper: kept,
    onInherited: ({ key }) => void known.push(key),
    ...more,
  });
  t.teardown(() => shared.closeAll());
  return { shared, known };
}

export const of = (kind: 'unix' | 'udp', host: string, port: number, key: string | null): InheritedShared => ({
  kind,
  handle: kind === 'unix' ? withoutName(host, bindPath('k', unix(host)), 'shop', native) : bindUdp('k', udp(port)),
  host,
  port,
  family: 4,
  ipv6Only: false,
  name: key === null ? 'web' : nameOf({ key, slot: null, index: null }),
  kept: key === null ? null : { key, slot: null, index: null },
});
