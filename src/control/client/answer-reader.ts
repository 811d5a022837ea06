/**
 * Reads one answer of HTTP/1.1 (RFC 9112) out of the bytes of a connection: its status and its body. Pure.
 *
 * For who asks a control server, where node:http takes longer to load than the whole answer takes. What is not from such a
 * server is refused as soon as that can be seen.
 */

/** Of one line; a head has less than half of it. */
const LINE_LIMIT_BYTES = 8 * 1024;
const LINES_LIMIT = 100;
const STATUS_LINE = /^HTTP\/1\.[01] ([2-5]\d\d)(?: |$)/;
const FIELD = /^([!#$%&'*+.^_`|~\dA-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
/** Its extensions mean nothing to who does not know them. */
const CHUNK_SIZE = /^([\dA-Fa-f]{1,8})[ \t]*(?:;.*)?$/;
const LENGTH = /^\d{1,15}$/;

/** `data` is a chunk or a body of known length, `open` one that goes to the end of the connection, `gap` what follows a chunk. */
type Stage = 'status' | 'fields' | 'size' | 'data' | 'gap' | 'trailer' | 'open' | 'done';

export class AnswerReader {
  #stage: Stage = 'status';
  #statusCode = 0;
  /** Bytes of a line whose end has not come yet. */
  #rest: Buffer = Buffer.alloc(0);
  #lines = 0;
  #chunked = false;
  /** Of the chunk or the body; without a length it goes on until the connection ends. */
  #left = Number.POSITIVE_INFINITY;

  /** null until the whole head has come. */
  get statusCode(): number | null {
    return this.#stage === 'status' || this.#stage === 'fields' ? null : this.#statusCode;
  }

  /** Nothing more belongs to the answer. */
  get done(): boolean {
    return this.#stage === 'done';
  }

  /** Whether it is whole if the connection ends now. */
  get mayEnd(): boolean {
    return this.#stage === 'done' || this.#stage === 'open';
  }

  /**
   * @returns what belongs to the body
   * @throws Error for what is no answer of HTTP/1.1
   */
  read(bytes: Buffer): Buffer[] {
    const body: Buffer[] = [];
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (rest.length > 0 && this.#stage !== 'done') {
      if (this.#stage === 'data' || this.#stage === 'open') {
        const piece = rest.subarray(0, this.#left);
        body.push(piece);
        rest = rest.subarray(piece.length);
        this.#left -= piece.length;
        if (this.#left === 0) this.#stage = this.#chunked ? 'gap' : 'done';
        continue;
      }
      const end = rest.indexOf('\r\n');
      if (end > LINE_LIMIT_BYTES || (end === -1 && rest.length > LINE_LIMIT_BYTES)) throw noAnswer();
      if (end === -1) break;
      this.#line(rest.toString('latin1', 0, end));
      rest = rest.subarray(end + 2);
    }
    this.#rest = rest;
    return body;
  }

  #line(line: string): void {
    switch (this.#stage) {
      case 'status': {
        const [, code] = STATUS_LINE.exec(line) ?? [];
        if (code === undefined) throw noAnswer();
        this.#statusCode = Number(code);
        this.#stage = 'fields';
        return;
      }
      case 'fields':
        if (line !== '') this.#field(line);
        else if (this.#chunked) this.#stage = 'size';
        else if (this.#left === 0) this.#stage = 'done';
        else this.#stage = this.#left === Number.POSITIVE_INFINITY ? 'open' : 'data';
        return;
      case 'size': {
        const [, size] = CHUNK_SIZE.exec(line) ?? [];
        if (size === undefined) throw noAnswer();
        this.#left = Number.parseInt(size, 16);
        this.#stage = this.#left === 0 ? 'trailer' : 'data';
        return;
      }
      case 'gap':
        if (line !== '') throw noAnswer();
        this.#stage = 'size';
        return;
      case 'trailer':
        this.#count();
        if (line === '') this.#stage = 'done';
    }
  }

  #field(line: string): void {
    this.#count();
    const [, name, value = ''] = FIELD.exec(line) ?? [];
    switch (name?.toLowerCase()) {
      case undefined:
        throw noAnswer();
      case 'transfer-encoding':
        if (value.toLowerCase() !== 'chunked') throw noAnswer();
        this.#chunked = true;
        return;
      case 'content-length':
        if (!LENGTH.test(value)) throw noAnswer();
        this.#left = Number(value);
    }
  }

  #count(): void {
    this.#lines += 1;
    if (this.#lines > LINES_LIMIT) throw noAnswer();
  }
}

function noAnswer(): Error {
  return new Error('its answer is not HTTP/1.1');
}
