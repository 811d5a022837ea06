/**
 * How many large answers are given out: each costs the supervisor time. Of each kind apart, so that who may have one
 * of them keeps nobody from the others: the page is for everybody, and must not take metrics away from who stores them. No clock in it.
 */
export const ANSWERS_A_SECOND = 50;

export class AnswerLimit<Kind> {
  readonly #kinds = new Map<Kind, { left: number; countedAt: number }>();

  /** Counts as an answer where it may be given. @param now in milliseconds, of a clock that goes only forward */
  mayAnswer(kind: Kind, now: number): boolean {
    const { left, countedAt } = this.#kinds.get(kind) ?? { left: ANSWERS_A_SECOND, countedAt: now };
    const saved = Math.min(ANSWERS_A_SECOND, left + ((now - countedAt) / 1000) * ANSWERS_A_SECOND);
    const may = saved >= 1;
    this.#kinds.set(kind, { left: may ? saved - 1 : saved, countedAt: now });
    return may;
  }
}
