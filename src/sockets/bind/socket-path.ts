/**
 * The name of a unix socket in the file system. Applications remove it before they listen and when they end, as is right where
 * each has a socket of its own; here it would leave the socket that goes on without a name. So there is a second name beside it,
 * by which it is put back.
 */
import { linkSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** How often it is looked after. */
const LOOK_MS = 1_000;

export class SocketPath {
  readonly path: string;
  readonly #spare: string;
  readonly #file: Stats | undefined;
  readonly #timer: NodeJS.Timeout;

  /**
   * Right after it has been bound, or found again.
   *
   * @param owner name of the supervisor: another one may have had the first name before
   */
  constructor(path: string, owner: string) {
    this.path = path;
    this.#spare = spareOf(path, owner);
    this.#file = look(path);
    quietly(() => unlinkSync(this.#spare));
    // Where a file system has no second names, nothing is put back.
    quietly(() => linkSync(path, this.#spare));
    this.#timer = setInterval(() => this.restore(), LOOK_MS).unref();
  }

  /**
   * The name of a socket that is there from before; put back where only the second one is left.
   *
   * @returns null where the socket has no name any more, or somebody else has taken it: nobody will come by it again
   */
  static find(path: string, owner: string): SocketPath | null {
    const spare = spareOf(path, owner);
    if (look(path) === undefined) quietly(() => linkSync(spare, path));
    const named = look(path);
    if (named === undefined || !named.isSocket()) return null;
    const kept = look(spare);
    return kept === undefined || isSame(kept, named) ? new SocketPath(path, owner) : null;
  }

  /** Puts the name back where it has been removed. What somebody else has put there is left alone. */
  restore(): 'there' | 'gone' | 'taken' {
    if (look(this.path) === undefined && this.#isOurs(this.#spare)) quietly(() => linkSync(this.#spare, this.path));
    if (look(this.path) === undefined) return 'gone';
    return this.#isOurs(this.path) ? 'there' : 'taken';
  }

  /** Closes the socket. libuv removes the name of one that it has bound, whoever has that by now. */
  close(handle: { close(): void }): void {
    const isTaken = look(this.path) !== undefined && !this.#isOurs(this.path);
    const aside = `${this.#spare}.other`;
    if (isTaken) quietly(() => linkSync(this.path, aside));
    handle.close();
    if (isTaken) quietly(() => linkSync(aside, this.path));
    if (isTaken) quietly(() => unlinkSync(aside));
  }

  /** The socket is gone, and so is its name. */
  forget(): void {
    if (this.#isOurs(this.path)) quietly(() => unlinkSync(this.path));
    this.leave();
  }

  /** The socket goes on without this process, and its name with it. */
  leave(): void {
    clearInterval(this.#timer);
    if (this.#isOurs(this.#spare)) quietly(() => unlinkSync(this.#spare));
  }

  #isOurs(name: string): boolean {
    const named = look(name);
    return this.#file !== undefined && named !== undefined && isSame(this.#file, named);
  }
}

/** Whether two names lead to one file. */
export function isSameFile(one: string, other: string): boolean {
  const [here, there] = [one, other].map(look);
  return here !== undefined && there !== undefined && isSame(here, there);
}

/** undefined where there is nothing, or it cannot be seen. */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** The second name. */
export function spareOf(path: string, owner: string): string {
  return join(dirname(path), `.${basename(path)}.${owner}.holdfast`);
}

function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // Nothing rests on it.
  }
}
