/** Something that was asked of a supervisor and takes its time: to be waited for, or watched while it goes on. */
import type { HoldfastError } from '../errors.js';
import type { ControlResult } from '../protocol/control.js';

/** One step on the way, for people: a fixed message and fields. */
export interface Progress {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Steps that nobody has read yet; the oldest go first. */
const UNREAD_LIMIT = 1_000;

/**
 * `await task` is its result, and rejects where it failed. `for await (const { message, fields } of task)` are its steps, from
 * the first one on, and throws at the end where it failed. It goes on whatever becomes of who asked for it.
 */
export class Task implements PromiseLike<ControlResult>, AsyncIterable<Progress> {
  /** @throws HoldfastError FAILED with the reason; CONNECTION_LOST, REFUSED */
  readonly result: Promise<ControlResult>;
  readonly #unread: Progress[] = [];
  /** Whoever waits for the next step: several may read, and each step goes to one of them. */
  readonly #waiting = new Set<() => void>();
  #ended = false;

  /** @param failure what it comes to where the supervisor says that it failed */
  constructor(
    perform: (onProgress: (step: Progress) => void) => Promise<ControlResult>,
    failure: (reason: string) => HoldfastError,
  ) {
    this.result = this.#run(perform, failure);
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    this.result.then(end, end);
  }

  // biome-ignore lint/suspicious/noThenProperty: to be awaited is what it is for.
  then<A = ControlResult, B = never>(
    onDone?: ((result: ControlResult) => A | PromiseLike<A>) | null,
    onFailed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result.then(onDone, onFailed);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, void> {
    for (;;) {
      const step = this.#unread.shift();
      if (step !== undefined) yield step;
      else if (this.#ended) break;
      else {
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    }
    await this.result;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #run(
    perform: (onProgress: (step: Progress) => void) => Promise<ControlResult>,
    failure: (reason: string) => HoldfastError,
  ): Promise<ControlResult> {
    const { ok, message, reason, changes } = await perform(({ message, fields }) => {
      if (this.#unread.length >= UNREAD_LIMIT) this.#unread.shift();
      this.#unread.push({ message, fields });
      this.#wake();
    });
    if (!ok) throw failure(reason ?? message);
    return { ok, message, reason, ...(changes && { changes }) };
  }
}
