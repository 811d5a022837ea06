/**
 * The control socket and the claim on its name, for as long as the supervisor runs: put back when somebody has removed them,
 * as those do that clean folders of temporary files.
 */
import { closeSync } from 'node:fs';
import { close, type LeanServer, listen, reasonOf } from '../lean-http.js';
import { ensureRuntimeDir } from '../runtime-dir.js';
import { claimAgain, claimName, type NameClaim } from './name-claim.js';

const LOOK_EVERY_MS = 60_000;

export interface KeptSocketOptions {
  /** The runtime folder; created if need be. */
  readonly dir: string;
  readonly name: string;
  /** Who answers there. Made anew when the socket is. */
  readonly makeServer: () => LeanServer;
  /** Told when the control socket was gone and is there again, or of the reason why it is not. */
  readonly onRestored?: ((problem: string | null) => void) | undefined;
  /** How often it is looked whether it is still there, in milliseconds. */
  readonly lookEveryMs?: number | undefined;
  /** Of the program that was here before an exec. */
  readonly passed?: PassedSocket | null | undefined;
  /** Told when another supervisor has the name. */
  readonly onTaken?: (() => void) | undefined;
}

/** A control socket that goes on to listen, and its name in the claim. */
export interface PassedSocket {
  readonly fd: number;
  readonly entry: string;
}

export class KeptSocket {
  readonly #options: KeptSocketOptions;
  #claim: NameClaim;
  #http: LeanServer;
  readonly #watching: NodeJS.Timeout;
  /** What is under way. */
  #restoring: Promise<string | null | undefined> | undefined;
  #closed = false;

  private constructor(options: KeptSocketOptions, claim: NameClaim, http: LeanServer) {
    this.#options = options;
    this.#claim = claim;
    this.#http = http;
    let told: string | null = null;
    const look = () =>
      this.#restore().then((problem) => {
        // The same trouble once a minute would be no news.
        if (problem === undefined || (problem !== null && problem === told)) return;
        told = problem;
        options.onRestored?.(problem);
      });
    this.#watching = setInterval(() => void look(), options.lookEveryMs ?? LOOK_EVERY_MS).unref();
  }

  /**
   * Takes the name and listens on `<name>.sock` in the runtime folder, with mode 0600.
   *
   * @throws HoldfastError ALREADY_RUNNING, RUNTIME_DIR_UNSAFE, RUNTIME_DIR, PATH_TOO_LONG, PATH_TAKEN, BAD_NAME
   */
  static async open(options: KeptSocketOptions): Promise<KeptSocket> {
    const { dir, name, passed, onTaken } = options;
    await ensureRuntimeDir(dir);
    const http = options.makeServer();
    try {
      const before = passed ? await claimAgain(dir, name, passed.entry) : null;
      if (before !== null && passed) await listen(http, { fd: passed.fd });
      else if (passed) closeSync(passed.fd);
      return new KeptSocket(
        options,
        before ?? (await claimName(dir, name, (path) => listen(http, { path }), onTaken)),
        http,
      );
    } catch (error) {
      http.close();
      http.closeAllConnections();
      throw error;
    }
  }

  get path(): string {
    return this.#claim.socketPath;
  }

  /** Has loaded what a first client would wait for. */
  prepare(): void {
    this.#http.load();
  }

  /** For the program that takes the place of this one; null where it does not listen. */
  get passable(): PassedSocket | null {
    const { _handle: handle } = this.#http as unknown as { readonly _handle: { readonly fd: number } | null };
    return handle === null ? null : { fd: handle.fd, entry: this.#claim.entry };
  }

  /** Removes the socket, then waits for its connections. @param endAll ends those that have no end of their own */
  async close(endAll: () => void): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watching);
    // Or what it has just made would be left behind.
    await this.#restoring;
    try {
      await this.#claim.release();
    } finally {
      // Also where the folder has become read-only: who is left behind there is seen to be dead.
      await close(this.#http, endAll);
    }
  }

  /** Never rejects. @returns undefined where nothing was missing, else why it still is, or null */
  async #restore(): Promise<string | null | undefined> {
    // Two at a time would be in each other's way.
    if (this.#restoring !== undefined || this.#closed) return undefined;
    this.#restoring = this.#claim.isIntact().then((isIntact) => (isIntact ? undefined : this.#putBack()));
    try {
      return await this.#restoring;
    } finally {
      this.#restoring = undefined;
    }
  }

  async #putBack(): Promise<string | null | undefined> {
    const { dir, name, makeServer } = this.#options;
    const old = { claim: this.#claim, http: this.#http };
    const fresh = makeServer();
    try {
      await ensureRuntimeDir(dir);
      // What is left of it would be in the way of the new one.
      await old.claim.release();
      const claim = await claimName(dir, name, (path) => listen(fresh, { path }));
      if (this.#closed) {
        await claim.release();
        fresh.close();
        return undefined;
      }
      this.#claim = claim;
      this.#http = fresh;
      // Whoever is still being answered is answered.
      old.http.close();
      return null;
    } catch (error) {
      fresh.close();
      return reasonOf(error);
    }
  }
}
