/** The frames in one direction of an HTTP/2 connection, as far as their heads tell (RFC 9113, section 4.1). */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const HEAD_BYTES = 9;

export const FRAME_TYPES = { data: 0, headers: 1, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Takes the pieces of a byte stream and gives the frames that have come whole. */
export class FrameReader {
  #rest = Buffer.alloc(0);
  #preface: Buffer;

  /** @param from which side it reads: a client's first bytes are no frame */
  constructor(from: 'client' | 'server') {
    this.#preface = from === 'client' ? PREFACE : Buffer.alloc(0);
  }

  read(chunk: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.#rest.length < this.#preface.length) return [];
    if (!this.#rest.subarray(0, this.#preface.length).equals(this.#preface)) throw new Error('not HTTP/2');
    this.#rest = this.#rest.subarray(this.#preface.length);
    this.#preface = Buffer.alloc(0);
    const frames: Frame[] = [];
    while (this.#rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      const stream = this.#rest.readUInt32BE(5) & 0x7fffffff;
      const payload = this.#rest.subarray(HEAD_BYTES, end);
      frames.push({ type: this.#rest.readUInt8(3), flags: this.#rest.readUInt8(4), stream, payload });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}
