/**
 * The last log lines, for who asks later: bounded in lines and in bytes, as the supervisor's memory is.
 *
 * Kept as bytes in a few blocks, of which the oldest goes as a whole: lines kept as strings would each take several times
 * their length, and a bound in lines alone would say nothing about memory.
 */

const BLOCK_BYTES = 16 * 1024;
export const HISTORY_BYTES = 256 * 1024;
export const HISTORY_LINES = 2_000;

interface Block {
  readonly bytes: Buffer;
  used: number;
  lines: number;
}

export class History {
  #blocks: Block[] = [];
  #bytes = 0;
  #lines = 0;

  /** @param line JSON, without its newline */
  add(line: string): void {
    const length = Buffer.byteLength(line) + 1;
    if (length > HISTORY_BYTES) return;
    let block = this.#blocks.at(-1);
    if (block === undefined || block.used + length > block.bytes.length) {
      block = { bytes: Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, length)), used: 0, lines: 0 };
      this.#blocks.push(block);
      this.#bytes += block.bytes.length;
    }
    block.used += block.bytes.write(`${line}\n`, block.used);
    block.lines += 1;
    this.#lines += 1;
    while (this.#bytes > HISTORY_BYTES || this.#lines > HISTORY_LINES) this.#forgetOldest();
  }

  /** The last ones that fit, oldest first. */
  last(count: number, fits: (line: string) => boolean = () => true): string[] {
    const found: string[] = [];
    for (const { bytes, used } of this.#blocks.toReversed()) {
      const lines = bytes.toString('utf8', 0, used).split('\n').slice(0, -1).reverse();
      for (const line of lines) {
        if (found.length >= count) return found.reverse();
        if (fits(line)) found.push(line);
      }
    }
    return found.reverse();
  }

  #forgetOldest(): void {
    const block = this.#blocks.shift();
    if (block === undefined) return;
    this.#bytes -= block.bytes.length;
    this.#lines -= block.lines;
  }
}
