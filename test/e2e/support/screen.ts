/** A terminal's screen, as far as holdfast uses it: what a person would see after all that was written. ECMA-48. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal obeys
const TOKEN = /\u001b\[([?]?)([\d;]*)([A-Za-z])|\u001b[78]|[\s\S]/gu;

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal obeys
const BEGUN = /\u001b(?:\[[?]?[\d;]*)?$/u;
/** In the place of a character's second cell. */
const SECOND = '';
const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|[\u30a0-\u30ff\uff01-\uff60]/u;

export class Screen {
  #width: number;
  #height: number;
  #lines: string[][] = [[]];
  /** The other screen is shown: what was on this one. */
  #kept: { readonly lines: string[][]; readonly row: number; readonly column: number } | null = null;
  /** Of an order whose rest has not come yet. */
  #begun = '';
  cursorIsShown = true;
  /** A view is in the midst of drawing: what is on it is of two. */
  isDrawing = false;
  breaksLines = true;
  /** Colours that were set: SGR 30 to 37 and the like. */
  readonly colours = new Set<number>();
  #row = 0;
  #column = 0;
  /** What it does not know: a test fails at it. */
  readonly unknown: string[] = [];

  #largest = { width: 0, height: 0 };

  constructor(width: number, height: number) {
    this.#largest = { width, height };
    this.#width = width;
    this.#height = height;
  }

  /** Whether it is the other screen, which is not kept. */
  get isOther(): boolean {
    return this.#kept !== null;
  }

  resize(width: number, height: number): void {
    this.#largest = { width: Math.max(width, this.#largest.width), height: Math.max(height, this.#largest.height) };
    this.#width = width;
    this.#height = height;
    for (const line of this.#lines) line.length = Math.min(line.length, width);
    this.#lines.length = Math.min(this.#lines.length, height);
  }

  /** Without what has been scrolled away above. */
  get lines(): string[] {
    const shown = this.isOther ? this.#lines.slice(0, this.#height) : this.#lines.slice(-this.#height);
    return shown.map((line) => line.slice(0, this.#width).join('').trimEnd());
  }

  write(piece: string): void {
    const text = this.#begun + piece;
    const { 0: begun = '' } = BEGUN.exec(text) ?? [];
    this.#begun = begun;
    for (const [token, question = '', numbers = '', order = ''] of text
      .slice(0, text.length - begun.length)
      .matchAll(TOKEN)) {
      if (order !== '') this.#obey(question, Number(numbers.split(';')[0] || 1), numbers, order);
      else if (token === '\n') this.#down(1);
      else if (token === '\r') this.#column = 0;
      else if (token < ' ') this.unknown.push(JSON.stringify(token));
      else this.#put(token);
    }
  }

  #obey(question: string, count: number, numbers: string, order: string): void {
    if (question !== '') {
      this.#setMode(numbers, order === 'h');
      return;
    }
    const line = this.#line();
    switch (order) {
      case 'm':
        for (const number of numbers.split(';').map(Number)) {
          if ((number >= 30 && number <= 38) || (number >= 40 && number <= 48) || number >= 90)
            this.colours.add(number);
        }
        break;
      case 'H': {
        const [row = 1, column = 1] = numbers.split(';').map((number) => Number(number) || 1);
        // Unless it was drawn before the size changed.
        if (row > this.#largest.height || column > this.#largest.width)
          this.unknown.push(`${numbers}H: beyond its edge`);
        this.#row = row - 1;
        this.#column = column - 1;
        break;
      }
      case 'C':
        this.#column += count;
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
        if (numbers === '2') {
          this.#lines = [[]];
          while (this.#lines.length <= this.#row) this.#lines.push([]);
          break;
        }
        line.length = Math.min(line.length, this.#column);
        this.#lines.length = this.#row + 1;
        break;
      default:
        this.unknown.push(`${numbers}${order}`);
    }
  }

  #setMode(numbers: string, isOn: boolean): void {
    switch (numbers) {
      // Synchronized output: drawn at once where the terminal knows it.
      case '2026':
        this.isDrawing = isOn;
        break;
      case '25':
        this.cursorIsShown = isOn;
        break;
      case '7':
        this.breaksLines = isOn;
        break;
      case '1049':
        if (isOn === this.isOther) break;
        if (this.#kept === null) {
          this.#kept = { lines: this.#lines, row: this.#row, column: this.#column };
          this.#lines = [[]];
        } else {
          const { lines, row, column } = this.#kept;
          [this.#lines, this.#row, this.#column, this.#kept] = [lines, row, column, null];
        }
        break;
      default:
        this.unknown.push(`?${numbers}${isOn ? 'h' : 'l'}`);
    }
  }

  #put(character: string): void {
    const cells = WIDE.test(character) ? 2 : 1;
    if (this.#column + cells > this.#width) {
      // A view that draws beyond the edge, and relies on that.
      if (!this.breaksLines) return;
      this.#down(1);
      this.#column = 0;
    }
    const line = this.#line();
    while (line.length < this.#column) line.push(' ');
    // What is left of a wide one of which a half is drawn over.
    if (line[this.#column] === SECOND) line[this.#column - 1] = ' ';
    if (line[this.#column + cells] === SECOND) line[this.#column + cells] = ' ';
    line[this.#column] = character;
    if (cells === 2) line[this.#column + 1] = SECOND;
    this.#column += cells;
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
