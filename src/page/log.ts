/** The tail of the log. A line is text, whatever it holds; colours and cursor movements of a terminal are left out. */
import { byId, make } from './dom.js';
import { dated, withoutAnsi } from './words.js';

const MOST = 1_000;
const LEVELS: Readonly<Record<string, number>> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };
const PLAIN: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'name']);

interface Line {
  readonly text: string;
  readonly level: number;
}

export class LogTail {
  readonly #place = byId('log');
  readonly #filter = byId<HTMLInputElement>('filter');
  readonly #level = byId<HTMLSelectElement>('level');
  readonly #follow = byId<HTMLInputElement>('follow');
  #lines: Line[] = [];

  constructor() {
    for (const control of [this.#filter, this.#level]) control.addEventListener('input', () => this.#showAll());
  }

  begin(): void {
    this.#lines = [];
    this.#place.replaceChildren();
  }

  add(lines: readonly string[], left: number): void {
    const fresh = lines.map(read);
    if (left > 0) fresh.push({ text: `… ${left} lines came too fast to be shown`, level: 60 });
    this.#lines = [...this.#lines, ...fresh].slice(-MOST);
    this.#place.append(...fresh.filter((line) => this.#fits(line)).map(element));
    while (this.#place.childElementCount > MOST) this.#place.firstElementChild?.remove();
    if (this.#follow.checked) this.#place.scrollTop = this.#place.scrollHeight;
  }

  #showAll(): void {
    this.#place.replaceChildren(...this.#lines.filter((line) => this.#fits(line)).map(element));
    this.#place.scrollTop = this.#place.scrollHeight;
  }

  #fits({ text, level }: Line): boolean {
    return level >= Number(this.#level.value) && text.toLowerCase().includes(this.#filter.value.toLowerCase());
  }
}

function element({ text, level }: Line): HTMLElement {
  return make('div', { class: level >= 50 ? 'bad' : level >= 40 ? 'warn' : '' }, text);
}

function read(line: string): Line {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const { level, time, msg } = entry;
    const rest = Object.entries(entry).flatMap(([key, value]) =>
      PLAIN.has(key) ? [] : [`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
    );
    const at = typeof time === 'string' ? dated(Date.parse(time) / 1000) : '';
    return {
      text: withoutAnsi([at, String(level), String(msg), ...rest].join(' ')),
      level: LEVELS[String(level)] ?? 30,
    };
  } catch {
    return { text: withoutAnsi(line), level: 30 };
  }
}
