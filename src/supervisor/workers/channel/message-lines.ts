const NEWLINE = 0x0a;

/** Cuts the bytes of a channel at their newlines. A line that is too long is thrown away up to its end. Pure. */
export class MessageLines {
  readonly #longest: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #skipping = false;

  constructor(longest: number) {
    this.#longest = longest;
  }

  push(chunk: Buffer): { readonly lines: readonly Buffer[]; readonly cut: boolean } {
    const lines: Buffer[] = [];
    let cut = false;
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      cut = this.#keep(chunk.subarray(from, at)) || cut;
      if (!this.#skipping) lines.push(Buffer.concat(this.#parts));
      this.#parts = [];
      this.#bytes = 0;
      this.#skipping = false;
      from = at + 1;
    }
    return { lines, cut: this.#keep(chunk.subarray(from)) || cut };
  }

  /** @returns whether the line has just become too long */
  #keep(part: Buffer): boolean {
    if (this.#skipping || part.length === 0) return false;
    this.#bytes += part.length;
    this.#skipping = this.#bytes > this.#longest;
    if (this.#skipping) this.#parts = [];
    else this.#parts.push(part);
    return this.#skipping;
  }
}
