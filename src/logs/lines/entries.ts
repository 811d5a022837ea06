/**
 * Puts the lines of a stack trace together again: what goes on with the line before becomes one entry with it. Pure.
 *
 * Bounded in lines, in characters and in time; a line is held back for a moment only, as long as more of it may follow.
 */
import type { Line } from './lines.js';

/** How long an entry waits for its next line, and how long for all of them. */
const HOLD_MS = 20;
const LONGEST_HOLD_MS = 200;
const MOST_LINES = 256;
const MOST_CHARACTERS = 32 * 1024;
/** The frames of a stack, the fields of an error and their closing brace, an empty line within. */
export const GOES_ON = /^(?:\s|[\]})]|$)/;
/** Node shows where in the source an uncaught error was thrown, then an empty line, then the error. */
const CARET = /^\s*[~^]+\s*$/;

interface Open {
  readonly lines: string[];
  characters: number;
  readonly since: number;
  until: number;
}

export class Entries {
  #open: Open | null = null;
  /** The line before was cut: the next one is its rest. */
  #cut = false;

  /** When `flush` is due; null while nothing is held back. */
  get dueAt(): number | null {
    return this.#open?.until ?? null;
  }

  /** @returns what is complete now, in order */
  add(line: Line, now: number): Line[] {
    const { text, continued } = line;
    if (continued || this.#cut) {
      this.#cut = continued;
      return [...this.flush(), line];
    }
    const open = this.#open;
    if (open !== null && this.#goesOn(open, text, now)) {
      open.lines.push(text);
      open.characters += text.length;
      open.until = Math.min(now + HOLD_MS, open.since + LONGEST_HOLD_MS);
      return [];
    }
    const done = this.flush();
    this.#open = { lines: [text], characters: text.length, since: now, until: now + HOLD_MS };
    return done;
  }

  /** What is held back, as it is. */
  flush(): Line[] {
    const open = this.#open;
    this.#open = null;
    return open === null ? [] : [{ text: open.lines.join('\n'), continued: false }];
  }

  #goesOn({ lines, characters, since }: Open, text: string, now: number): boolean {
    if (lines.length >= MOST_LINES || characters + text.length > MOST_CHARACTERS) return false;
    if (now - since > LONGEST_HOLD_MS) return false;
    return GOES_ON.test(text) || (lines.at(-1) === '' && CARET.test(lines.at(-2) ?? ''));
  }
}
