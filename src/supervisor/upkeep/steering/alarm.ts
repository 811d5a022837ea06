/** One timer that is set again and again: each time for the same delay takes less than a new one. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = 0;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** In place of what it was set to before. */
  set(delayMs: number): void {
    if (this.#timer !== undefined && delayMs === this.#delayMs) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#ring, delayMs);
    this.#delayMs = delayMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
