/**
 * The order of forks at a start. The first worker was forked early and may be waiting for its socket, while forking the others
 * takes milliseconds for each of them, in which nobody is answered: so they are forked once it has been.
 *
 * Used by the spawner. Without a first worker that is there already, each is forked at once.
 */
export class ForkQueue {
  readonly #later: (act: () => void) => void;
  readonly #waiting = new Map<number, () => void>();
  #isWaiting = false;

  /** @param later has something done when what has come meanwhile has been seen to */
  constructor(later: (act: () => void) => void = setImmediate) {
    this.#later = later;
  }

  /** For the one that is there: whoever is added in this turn waits until it has been listened to. */
  letFirst(begin: () => void): void {
    this.#isWaiting = true;
    this.#later(() => {
      this.#isWaiting = false;
      for (const worker of [...this.#waiting.keys()]) this.beginNow(worker);
    });
    begin();
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
