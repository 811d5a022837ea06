/**
 * The log lines that a reader has had last: one that connects again, to a supervisor that remembers more than the reader has missed,
 * shows none of them twice.
 */
import { HISTORY_LINES } from '../../logs/history.js';

/** Of the reader's own connection, and in nobody's memory. */
const OWN = /"msg":"log lines dropped"/;

export class SeenLines {
  #lines: string[] = [];

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  add(lines: readonly string[]): void {
    this.#lines.push(...lines.filter((line) => !OWN.test(line)));
    if (this.#lines.length > 2 * HISTORY_LINES) this.#lines = this.#lines.slice(-HISTORY_LINES);
  }

  /**
   * Those that come behind what was seen last: all of them where the supervisor does not remember that.
   *
   * @param remembered what the supervisor remembers, oldest first
   */
  newIn(remembered: readonly string[]): readonly string[] {
    const seen = this.#lines;
    if (seen.length === 0) return remembered;
    // The same line may have come more than once: what comes before it tells.
    for (let end = remembered.length; end > 0; end--) {
      if (remembered[end - 1] !== seen.at(-1)) continue;
      const length = Math.min(end, seen.length);
      const isSame = remembered.slice(end - length, end).every((line, i) => line === seen[seen.length - length + i]);
      if (isSame) return remembered.slice(end);
    }
    return remembered;
  }
}
