/** Unix sockets by their names, and which of them belong to this process alone: those are none of the supervisor's. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import type { TcpHandle } from '../node/handle.js';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
/** A smaller one, as in a container, may stand in a name for anything. */
const LEAST_PID = 100;

/** An abstract name is none of the file system. */
export function absolute(name: string): string {
  return name.startsWith('\0') ? name : path.resolve(name);
}

/** For other users than this one as well: Node's options of the same names. */
export interface Access {
  readonly readableAll: boolean;
  readonly writableAll: boolean;
}

/** `uv_poll_event` of libuv, which `uv_pipe_chmod` takes. */
const UV_READABLE = 1;
const UV_WRITABLE = 2;

export function accessOf(mode: number): Access {
  return { readableAll: (mode & UV_READABLE) !== 0, writableAll: (mode & UV_WRITABLE) !== 0 };
}

/** @returns a negative errno where it cannot be bound */
export function bindPath(name: string, { readableAll, writableAll }: Access): TcpHandle | number {
  type Pipe = TcpHandle & { fchmod(mode: number): number };
  const seam = net as unknown as { _createServerHandle(path: string, port: -1, type: -1): Pipe | number };
  const handle = seam._createServerHandle(name, -1, -1);
  const mode = (readableAll ? UV_READABLE : 0) | (writableAll ? UV_WRITABLE : 0);
  if (typeof handle !== 'number' && mode !== 0) handle.fchmod(mode);
  return handle;
}

/**
 * Paths that are this process's own, as those of tools are that speak to their children: in a folder that it has made by mkdtemp,
 * or with its PID or a UUID in the socket's name. What stands in its environment or its arguments is the same for every worker: a
 * port may have the number of a process.
 */
export class OwnPaths {
  readonly #folders = new Set<string>();
  readonly #pid: RegExp | undefined;
  readonly #givenIds: ReadonlySet<string>;

  constructor() {
    const given = [...Object.values(process.env), ...process.argv].join('\n');
    const pid = new RegExp(`(?<!\\d)${process.pid}(?!\\d)`);
    this.#pid = process.pid < LEAST_PID || pid.test(given) ? undefined : pid;
    this.#givenIds = new Set(idsIn(given));
  }

  has(name: string): boolean {
    const base = path.basename(name);
    if (this.#pid?.test(base) || idsIn(base).some((id) => !this.#givenIds.has(id))) return true;
    for (const folder of this.#folders) if (name.startsWith(folder + path.sep)) return true;
    return false;
  }

  /** Folders are known from then on. */
  install(): void {
    const keep = (made: unknown) => this.#keep(made);
    for (const name of ['mkdtempSync', 'mkdtempDisposableSync']) this.#watch(fs, name, keep);
    for (const name of ['mkdtemp', 'mkdtempDisposable']) {
      this.#watch(fs.promises, name, (made: Promise<unknown>) => void made.then(keep, () => {}));
    }
    const { mkdtemp } = fs as unknown as { mkdtemp: (...given: unknown[]) => unknown };
    Object.assign(fs, {
      mkdtemp(...given: unknown[]) {
        const callback = given.at(-1);
        if (typeof callback !== 'function') return mkdtemp(...given);
        return mkdtemp(...given.slice(0, -1), (error: unknown, made: unknown) => {
          keep(made);
          callback(error, made);
        });
      },
    });
    syncBuiltinESMExports();
  }

  #watch<T>(owner: object, name: string, see: (made: T) => void): void {
    const methods = owner as Record<string, ((...given: unknown[]) => T) | undefined>;
    const make = methods[name];
    if (typeof make !== 'function') return;
    const watched = {
      [name](...given: unknown[]) {
        const made = make(...given);
        see(made);
        return made;
      },
    };
    Object.assign(methods, watched);
  }

  #keep(made: unknown): void {
    const folder = (made as { readonly path?: unknown } | undefined)?.path ?? made;
    if (typeof folder === 'string' || Buffer.isBuffer(folder)) this.#folders.add(path.resolve(String(folder)));
  }
}

function idsIn(text: string): string[] {
  return (text.match(UUID) ?? []).map((id) => id.toLowerCase());
}
