/**
 * The name of a unix socket in the file system. Applications remove it before they listen and when they end, as is right where
 * each has a socket of its own; here it would leave the socket that goes on without a name. So there is a second name beside it,
 * by which it is put back.
 */
import { linkSync, lstatSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** How often it is looked after. */
const LOOK_MS = 1_000;

export class SocketPath {
  readonly path: string;
  readonly #spare: string;
  readonly #timer: NodeJS.Timeout;

  /** Right after it has been bound. */
  constructor(path: string) {
    this.path = path;
    this.#spare = join(dirname(path), `.${basename(path)}.holdfast`);
    quietly(() => unlinkSync(this.#spare));
    // Where a file system has no second names, nothing is put back.
    quietly(() => linkSync(path, this.#spare));
    this.#timer = setInterval(() => this.restore(), LOOK_MS).unref();
  }

  /** Puts the name back where it has been removed. What somebody else has put there is left alone. */
  restore(): void {
    if (lstatSync(this.path, { throwIfNoEntry: false }) === undefined) quietly(() => linkSync(this.#spare, this.path));
  }

  /** The socket is gone, and so is its name. */
  forget(): void {
    clearInterval(this.#timer);
    quietly(() => unlinkSync(this.#spare));
  }
}

function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // Nothing rests on it.
  }
}
