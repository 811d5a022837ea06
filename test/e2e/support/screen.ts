/** A terminal's screen, as far as holdfast uses it: what a person would see after all that was written. ECMA-48. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal obeys
const TOKEN = /\u001b\[([?]?)([\d;]*)([A-Za-z])|\u001b[78]|[\s\S]/g;

export class Screen {
  readonly #width: number;
  readonly #height: number;
  #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  /** What it does not know: a test fails at it. */
  readonly unknown: string[] = [];

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
  }

  /** Without what has been scrolled away above. */
  get lines(): string[] {
    return this.#lines.slice(-this.#height).map((line) => line.join('').trimEnd());
  }

  write(text: string): void {
    for (const [token, question = '', numbers = '', order = ''] of text.matchAll(TOKEN)) {
      if (order !== '') this.#obey(question, Number(numbers.split(';')[0] || 1), numbers, order);
      else if (token === '\n') this.#down(1);
      else if (token === '\r') this.#column = 0;
      else if (token < ' ') this.unknown.push(JSON.stringify(token));
      else this.#put(token);
    }
  }

  #obey(question: string, count: number, numbers: string, order: string): void {
    if (question !== '') {
      // Synchronized output: drawn at once where the terminal knows it.
      if (numbers !== '2026') this.unknown.push(`?${numbers}${order}`);
      return;
    }
    const line = this.#line();
    switch (order) {
      case 'm':
        break;
      case 'A':
        if (this.#row - count < this.#lines.length - this.#height) this.unknown.push('above the screen');
        this.#row = Math.max(0, this.#lines.length - this.#height, this.#row - count);
        break;
      case 'B':
        this.#row = Math.min(this.#lines.length - 1, this.#row + count);
        break;
      case 'G':
        this.#column = count - 1;
        break;
      case 'K':
        if (numbers === '2') line.length = 0;
        else line.length = Math.min(line.length, this.#column);
        break;
      case 'J':
        line.length = Math.min(line.length, this.#column);
        this.#lines.length = this.#row + 1;
        break;
      default:
        this.unknown.push(`${numbers}${order}`);
    }
  }

  #put(character: string): void {
    if (this.#column >= this.#width) {
      this.#down(1);
      this.#column = 0;
    }
    const line = this.#line();
    while (line.length < this.#column) line.push(' ');
    line[this.#column] = character;
    this.#column += 1;
  }

  #down(count: number): void {
    this.#row += count;
    this.#line();
  }

  #line(): string[] {
    while (this.#lines.length <= this.#row) this.#lines.push([]);
    return this.#lines[this.#row] ?? [];
  }
}
