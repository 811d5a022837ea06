/** Handles that are on their way to a worker: their sockets must stay open until they are written. */

/** A worker that is stuck must not hold up a stop for the sake of a handle that it cannot take. */
const PATIENCE_MS = 1_000;

export class HandlesUnderWay {
  readonly #sending = new Set<Promise<void>>();

  /** @param sending settles when the handle is written, or cannot be */
  add(sending: Promise<void>): void {
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
  }

  /** Resolves when none is under way, or when that takes too long. */
  async settled(): Promise<void> {
    if (this.#sending.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([Promise.allSettled(this.#sending), patience]);
    clearTimeout(timer);
  }
}
