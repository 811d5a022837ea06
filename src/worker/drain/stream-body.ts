/** Reads along what an answer of HTTP/1.1 sends, as far as is needed to know where it may end. */

/**
 * What must not be cut into: an event (up to a blank line), a line, a chunk, or what a compressor has given out up to a flush.
 */
export type Unit = 'event' | 'line' | 'chunk' | 'flush';

const LF = 0x0a;
const CR = 0x0d;
/** The empty block with which zlib ends a flush (RFC 1979, section 2.1). */
const FLUSH = [0x00, 0x00, 0xff, 0xff];
/** A unit's end is within the last bytes: `\r\n\r\n` is the longest. */
const TAIL = 4;

export class BodyReader {
  readonly #unit: Unit;
  readonly #chunked: boolean;
  /** The last bytes of the body. */
  #tail: number[] = [];
  #state: 'size' | 'extension' | 'data' | 'dataEnd' = 'size';
  /** Of a chunk: its size as far as it is known, and what is still to come. */
  #left = 0;
  /** Whether a unit has ended since it began to read. */
  hasUnits = false;

  /** @param chunked whether the body is in chunks. Must be made between two of them. */
  constructor(unit: Unit, chunked: boolean) {
    this.#unit = unit;
    this.#chunked = chunked;
  }

  /** Whether it may end here. What was sent before the first call is taken for whole. */
  get isWhole(): boolean {
    return this.#state === 'size' && this.#left === 0 && (this.#tail.length === 0 || this.#endsUnit());
  }

  read(data: string | Uint8Array, encoding?: BufferEncoding | null): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding ?? 'utf8') : data;
    if (this.#chunked) this.#readChunks(bytes);
    else this.#keep(bytes);
    if (this.#tail.length > 0 && this.isWhole) this.hasUnits = true;
  }

  #readChunks(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === 'data') {
        const part = bytes.subarray(at, at + this.#left);
        this.#keep(part);
        this.#left -= part.length;
        at += part.length;
        if (this.#left === 0) this.#state = 'dataEnd';
        continue;
      }
      const byte = bytes[at] ?? 0;
      at += 1;
      if (this.#state === 'dataEnd') {
        if (byte === LF) this.#state = 'size';
      } else if (byte === LF) this.#state = this.#left > 0 ? 'data' : 'size';
      else if (byte === CR) this.#state = 'extension';
      else if (this.#state === 'size') this.#left = this.#left * 16 + Number.parseInt(String.fromCharCode(byte), 16);
    }
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#tail = [...this.#tail, ...bytes.subarray(-TAIL)].slice(-TAIL);
  }

  #endsUnit(): boolean {
    switch (this.#unit) {
      case 'chunk':
        return true;
      case 'line':
        return this.#tail.at(-1) === LF;
      case 'flush':
        return FLUSH.every((byte, i) => this.#tail[i] === byte);
      case 'event':
        return endsWithBlankLine(this.#tail);
    }
  }
}

/** Two ends of lines, one right after the other, each `\r\n`, `\n` or `\r` (HTML, section 9.2.5). */
function endsWithBlankLine(tail: readonly number[]): boolean {
  return isLineEnd(tail, lengthOfLineEnd(tail, tail.length));
}

function isLineEnd(tail: readonly number[], length: number): boolean {
  return length > 0 && lengthOfLineEnd(tail, tail.length - length) > 0;
}

function lengthOfLineEnd(tail: readonly number[], end: number): number {
  const last = tail[end - 1];
  if (last === CR) return 1;
  if (last !== LF) return 0;
  return tail[end - 2] === CR ? 2 : 1;
}
