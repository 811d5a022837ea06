/**
 * The names of unix sockets in custody. These are shared with other workers and go on when this one ends: the application's
 * habit of removing the name, before it listens and at its end, does nothing to them, and is told that it has.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

type Remove = (this: unknown, name: unknown, ...rest: unknown[]) => unknown;
export class KeptPaths {
  readonly #paths = new Set<string>();

  /** @param json of those that are in custody already */
  constructor(json: string | undefined) {
    const known: unknown = json === undefined ? [] : JSON.parse(json);
    if (Array.isArray(known)) for (const name of known) if (typeof name === 'string') this.keep(name);
  }

  has(name: string): boolean {
    return this.#paths.has(name);
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
