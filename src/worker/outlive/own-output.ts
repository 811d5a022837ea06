/**
 * What this process prints while nobody else reads it: an orphan reads it itself, from the supervisor's ends of both streams. So
 * writing never fails, a pipe never fills up, and no line is lost.
 */
import fs from 'node:fs';

/** An end of a stream of this process, from which what it writes there can be read. */
export interface OutputEnd {
  readonly fd: number;
  close(): void;
}

export const STREAMS = ['stdout', 'stderr'] as const;
/** Of each the newest. */
const MOST_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;

export class OwnOutput {
  readonly ends: OutputEnd[] = [];
  #kept: Buffer[] = [];
  #chunk: Buffer | undefined;

  /** Whether nothing that is printed would be an error. */
  get isWhole(): boolean {
    return this.ends.length === STREAMS.length;
  }

  /** First that of standard output, then that of standard error. */
  add(end: OutputEnd): void {
    if (this.isWhole) end.close();
    else this.ends.push(end);
  }

  /** @returns whether there was anything */
  read(): boolean {
    this.#chunk ??= Buffer.alloc(CHUNK_BYTES);
    const chunk = this.#chunk;
    let hasRead = false;
    for (const [i, { fd }] of this.ends.entries()) {
      for (;;) {
        let count = 0;
        try {
          count = fs.readSync(fd, chunk);
        } catch {
          // Nothing is left.
        }
        if (count === 0) break;
        hasRead = true;
        this.#kept[i] = Buffer.concat([this.#kept[i] ?? Buffer.alloc(0), chunk.subarray(0, count)]).subarray(
          -MOST_BYTES,
        );
      }
    }
    return hasRead;
  }

  /** Of each stream, a character for each byte. */
  get texts(): { readonly stdout: string; readonly stderr: string } {
    const [stdout = '', stderr = ''] = this.#kept.map((text) => text?.toString('latin1'));
    return { stdout, stderr };
  }

  /** Somebody has it. */
  clear(): void {
    this.#kept = [];
  }
}
