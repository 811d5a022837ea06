/**
 * Unix sockets by their names. Those in custody are shared with other workers and go on when this one ends: the application's
 * habit of removing the name, before it listens and at its end, does nothing to them, and is told that it has.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TcpHandle } from './node/handle.js';

/** Of what is made for one process: a UUID, or a folder by mkdtemp. */
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const MADE_BY_MKDTEMP = /[A-Za-z0-9]{6}$/;

/** An abstract name is none of the file system. */
export function absolute(name: string): string {
  return name.startsWith('\0') ? name : path.resolve(name);
}

/** Whether its name says that it belongs to this process alone, as those of tools do that speak to their children. */
export function isOwnPath(name: string): boolean {
  const { pid } = process;
  // A small number, as in a container, may stand there for anything.
  if (pid >= 100 && new RegExp(`(?<!\\d)${pid}(?!\\d)`).test(name)) return true;
  if (UUID.test(name)) return true;
  const folder = path.dirname(name);
  if (path.dirname(folder) !== os.tmpdir() || !MADE_BY_MKDTEMP.test(folder)) return false;
  const beganAt = Date.now() - process.uptime() * 1_000;
  return (fs.statSync(folder, { throwIfNoEntry: false })?.birthtimeMs ?? 0) >= beganAt;
}

/** @returns a negative errno where it cannot be bound */
export function bindPath(name: string): TcpHandle | number {
  const seam = net as unknown as { _createServerHandle(path: string, port: -1, type: -1): TcpHandle | number };
  return seam._createServerHandle(name, -1, -1);
}

type Remove = (this: unknown, name: unknown, ...rest: unknown[]) => unknown;

export class KeptPaths {
  readonly #paths = new Set<string>();

  /** @param json of those that are in custody already */
  constructor(json: string | undefined) {
    const known: unknown = json === undefined ? [] : JSON.parse(json);
    if (Array.isArray(known)) for (const name of known) if (typeof name === 'string') this.keep(name);
  }

  keep(name: string): void {
    if (name.startsWith('\0')) return;
    if (this.#paths.size === 0) this.#install();
    this.#paths.add(name);
  }

  #install(): void {
    for (const name of ['unlinkSync', 'rmSync']) this.#spare(fs, name, () => undefined);
    for (const name of ['unlink', 'rm']) {
      this.#spare(fs, name, (rest) => {
        const callback = rest.at(-1);
        if (typeof callback === 'function') process.nextTick(callback, null);
      });
      this.#spare(fs.promises, name, () => Promise.resolve());
    }
    // For those who import them by name.
    syncBuiltinESMExports();
  }

  #spare(owner: object, name: string, answer: (rest: unknown[]) => unknown): void {
    const methods = owner as Record<string, Remove>;
    const remove = methods[name];
    if (typeof remove !== 'function') return;
    const paths = this.#paths;
    const spare = {
      [name](this: unknown, given: unknown, ...rest: unknown[]) {
        return isOneOf(paths, given) ? answer(rest) : Reflect.apply(remove, this, [given, ...rest]);
      },
    }[name] as Remove;
    methods[name] = spare;
  }
}

function isOneOf(paths: ReadonlySet<string>, given: unknown): boolean {
  try {
    const name = given instanceof URL ? fileURLToPath(given) : String(given);
    return paths.has(path.resolve(name));
  } catch {
    return false;
  }
}
