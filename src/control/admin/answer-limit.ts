/**
 * How many large answers are given out: each costs the supervisor time. Of each room apart, so that nobody who may go to one of them
 * only keeps others from theirs: the page is for everybody, and must not take metrics away from who stores them. No clock in it.
 */
export const ANSWERS_A_SECOND = 50;

export class AnswerLimit<Room> {
  readonly #rooms = new Map<Room, { left: number; countedAt: number }>();

  /** Counts as an answer where it may be given. @param now in milliseconds, of a clock that goes only forward */
  mayAnswer(room: Room, now: number): boolean {
    const { left, countedAt } = this.#rooms.get(room) ?? { left: ANSWERS_A_SECOND, countedAt: now };
    const saved = Math.min(ANSWERS_A_SECOND, left + ((now - countedAt) / 1000) * ANSWERS_A_SECOND);
    const may = saved >= 1;
    this.#rooms.set(room, { left: may ? saved - 1 : saved, countedAt: now });
    return may;
  }
}
