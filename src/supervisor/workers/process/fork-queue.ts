/**
 * The order of forks at a start. The first worker was forked early and is about to listen, or waits for its socket already. Forking
 * the others takes milliseconds for each of them, in which nobody is answered, and then they share the processors with it: so they
 * are forked once it listens, and soon if it does not.
 *
 * Used by the spawner. Without a first worker that is there already, each is forked at once.
 */

/** Node itself takes longer to start: who has begun by then and does not listen does something else first. */
const PATIENCE_MS = 50;

export class ForkQueue {
  readonly #later: (act: () => void) => void;
  readonly #waiting = new Map<number, () => void>();
  #isWaiting = false;

  /** @param later has something done when there is no more waiting for the first */
  constructor(later: (act: () => void) => void = (act) => setTimeout(act, PATIENCE_MS)) {
    this.#later = later;
  }

  /** For the one that is there: whoever is added waits until it listens. */
  letFirst(begin: () => void): void {
    this.#isWaiting = true;
    this.#later(() => this.goOn());
    begin();
  }

  /** The first listens, or has ended. */
  goOn(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    for (const worker of [...this.#waiting.keys()]) this.beginNow(worker);
  }

  add(worker: number, begin: () => void): void {
    if (this.#isWaiting) this.#waiting.set(worker, begin);
    else begin();
  }

  /** Nothing is done where it has begun. */
  beginNow(worker: number): void {
    const begin = this.#waiting.get(worker);
    this.#waiting.delete(worker);
    begin?.();
  }
}
