/**
 * Cuts a stream of bytes into lines of text.
 *
 * Pure: no stream, no clock. Pulled rather than pushed, so that a reader can stop between any two lines of a chunk.
 * Holds one line at most beside the chunk it was given.
 */

/** The longest line that is not cut, in bytes, its end of line not counted. */
export const maxLineBytes = 16 * 1024;

export interface Line {
  readonly text: string;
  /** The line was too long and was cut here: the next one carries on with it. */
  readonly continued: boolean;
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const empty = Buffer.alloc(0);

/**
 * Ends of line are `\n` and `\r\n`. Where a line is cut does not depend on how the bytes were chunked, and never falls
 * inside a UTF-8 sequence. Bytes that are no UTF-8 become U+FFFD.
 */
export class LineSplitter {
  readonly #limitBytes: number;
  /** The line that is being put together; there only while one is: most workers are silent most of the time. */
  #line: Buffer = empty;
  #lineBytes = 0;
  #chunk: Buffer = empty;
  #ended = false;

  constructor(limitBytes = maxLineBytes) {
    this.#limitBytes = limitBytes;
  }

  /** Takes a chunk. Ask `next()` until it has no more before the next one, or what is left over is copied. */
  push(chunk: Buffer): void {
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
  }

  /** No chunk will follow: what is left is a line, even without an end of line. */
  end(): void {
    this.#ended = true;
  }

  /** The next line; undefined when it takes another chunk to tell. */
  next(): Line | undefined {
    this.#fill();
    const bytes = this.#lineBytes;
    if (this.#terminated()) {
      const textBytes = this.#line[bytes - 2] === carriageReturn && bytes > 1 ? bytes - 2 : bytes - 1;
      return textBytes <= this.#limitBytes ? this.#take(textBytes, bytes, false) : this.#cut();
    }
    if (bytes === this.#roomBytes) return this.#cut();
    if (bytes === 0) this.#line = empty;
    if (!this.#ended || bytes === 0) return undefined;
    return bytes <= this.#limitBytes ? this.#take(bytes, bytes, false) : this.#cut();
  }

  /** With its `\r\n`, so that a line of just the limit is told from a longer one. */
  get #roomBytes(): number {
    return this.#limitBytes + 2;
  }

  #terminated(): boolean {
    return this.#lineBytes > 0 && this.#line[this.#lineBytes - 1] === newline;
  }

  /** Moves bytes out of the chunk up to an end of line, at most until the line is full. */
  #fill(): void {
    if (this.#chunk.length === 0 || this.#terminated()) return;
    // Not from the pool, all of which each piece of it keeps in memory.
    if (this.#line.length === 0) this.#line = Buffer.allocUnsafeSlow(this.#roomBytes);
    const window = this.#chunk.subarray(0, this.#roomBytes - this.#lineBytes);
    const at = window.indexOf(newline);
    const bytes = at === -1 ? window.length : at + 1;
    window.copy(this.#line, this.#lineBytes, 0, bytes);
    this.#lineBytes += bytes;
    // An empty view would keep the whole chunk in memory.
    this.#chunk = bytes === this.#chunk.length ? empty : this.#chunk.subarray(bytes);
  }

  #cut(): Line {
    let at = this.#limitBytes;
    // A UTF-8 sequence has three continuation bytes at most; where there are more it is no UTF-8, and any cut will do.
    for (let back = 0; back <= 3 && back < this.#limitBytes; back += 1) {
      if ((this.#line[this.#limitBytes - back]! & 0xc0) !== 0x80) {
        at = this.#limitBytes - back;
        break;
      }
    }
    return this.#take(at, at, true);
  }

  #take(textBytes: number, bytes: number, continued: boolean): Line {
    const text = this.#line.toString('utf8', 0, textBytes);
    this.#line.copyWithin(0, bytes, this.#lineBytes);
    this.#lineBytes -= bytes;
    return { text, continued };
  }
}
