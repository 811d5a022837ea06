/**
 * An answer that is dear to make, shared by all who ask at the same time and for a moment after: however many ask, it is made
 * a few times a second.
 */
export class SharedAnswer<T> {
  readonly #make: () => Promise<T>;
  readonly #freshMs: number;
  #answer: Promise<T> | null = null;

  /** @param freshMs how long it is given out after it was made */
  constructor(make: () => Promise<T>, freshMs: number) {
    this.#make = make;
    this.#freshMs = freshMs;
  }

  get(): Promise<T> {
    if (this.#answer !== null) return this.#answer;
    const answer = this.#make();
    this.#answer = answer;
    const forget = () => {
      if (this.#answer === answer) this.#answer = null;
    };
    answer.then(() => setTimeout(forget, this.#freshMs).unref(), forget);
    return answer;
  }
}
