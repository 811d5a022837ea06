/**
 * The names of unix sockets in custody. These are shared with other workers and go on when this one ends: the application's
 * habit of removing the name, before it listens and at its end, does nothing to them, and is told that it has.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Closed ones are looked at when there are this many more than after the last time. */
const SWEEP_AFTER = 16;
const { lstatSync } = fs;

type Remove = (this: unknown, name: unknown, ...rest: unknown[]) => unknown;
export class KeptPaths {
  readonly #paths = new Set<string>();
  /** Those of them at which this process listens. */
  readonly #open = new Set<string>();
  #sweepAt = SWEEP_AFTER;

  /** @param json of those that are in custody already */
  constructor(json: string | undefined) {
    const known: unknown = json === undefined ? [] : JSON.parse(json);
    if (Array.isArray(known)) for (const name of known) if (typeof name === 'string') this.#paths.add(name);
  }

  has(name: string): boolean {
    return this.#paths.has(name);
  }

  opened(name: string): void {
    if (name.startsWith('\0')) return;
    this.#paths.add(name);
    this.#open.add(name);
    if (this.#paths.size >= this.#sweepAt) this.#sweep();
  }

  /** Others may still listen there. */
  closed(name: string): void {
    this.#open.delete(name);
  }

  #sweep(): void {
    for (const name of this.#paths) if (!this.#open.has(name) && !isSocket(name)) this.#paths.delete(name);
    this.#sweepAt = 2 * this.#paths.size + SWEEP_AFTER;
  }

  /** Before the application runs, which may take the functions out of their module. */
  install(): void {
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

  /** What has taken the place of a socket that is gone is as ever. */
  #isSpared(given: unknown): boolean {
    if (this.#paths.size === 0) return false;
    try {
      const name = path.resolve(given instanceof URL ? fileURLToPath(given) : String(given));
      return this.#paths.has(name) && isSocket(name);
    } catch {
      return false;
    }
  }

  #spare(owner: object, name: string, answer: (rest: unknown[]) => unknown): void {
    const methods = owner as Record<string, Remove>;
    const remove = methods[name];
    if (typeof remove !== 'function') return;
    const isSpared = (given: unknown) => this.#isSpared(given);
    const spare = {
      [name](this: unknown, given: unknown, ...rest: unknown[]) {
        return isSpared(given) ? answer(rest) : Reflect.apply(remove, this, [given, ...rest]);
      },
    }[name] as Remove;
    methods[name] = spare;
  }
}

function isSocket(name: string): boolean {
  try {
    return lstatSync(name).isSocket();
  } catch {
    return false;
  }
}
