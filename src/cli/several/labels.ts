/** Puts the application's name before each line of its output. */
import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** A line that is longer is cut: nobody may fill the memory by never ending one. */
const LONGEST_LINE = 256 * 1024;

/**
 * Whole lines in each chunk, so that those of several applications stay apart. A JSON line passes as it is: it has the name in it.
 */
export class Labels extends Transform {
  readonly #label: string;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** @param width of the longest name, so that the lines stand below each other */
  constructor(name: string, width: number) {
    super({ decodeStrings: true });
    this.#label = `${name.padEnd(width)} | `;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LONGEST_LINE) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    this.#pass(lines, done);
  }

  override _flush(done: TransformCallback): void {
    const rest = this.#rest + this.#decoder.end();
    this.#pass(rest === '' ? [] : [rest], done);
  }

  #pass(lines: readonly string[], done: TransformCallback): void {
    done(null, lines.length === 0 ? undefined : lines.map((line) => `${this.#labelled(line)}\n`).join(''));
  }

  #labelled(line: string): string {
    return line.startsWith('{') && line.endsWith('}') ? line : this.#label + line;
  }
}
