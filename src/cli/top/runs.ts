/** Text in cells of a terminal, with how it is painted: what a view is made of. Pure. */
import { printable } from '../table.js';

export type Style =
  | 'plain'
  | 'bold'
  | 'dim'
  | 'good'
  | 'busy'
  | 'bad'
  | 'chart'
  | 'title'
  | 'sorted'
  | 'chosen'
  | 'ask';
export interface Run {
  readonly text: string;
  readonly style: Style;
}
export type Line = readonly Run[];

/** Two cells wide: UAX #11, and pictures. */
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\u30a0-\u30ff\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])/u;
/** Of a width that terminals do not agree on, or of none: what joins others, too. */
const UNCERTAIN = /[\p{M}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{RI}]|\p{Emoji_Modifier}/gu;
const SEVERAL = /[^\u0020-\u007e]/;

export function run(text: string, style: Style = 'plain'): Run {
  return { text, style };
}

/** What comes from elsewhere, on one line, without orders to a terminal and without what moves other cells. */
export function safe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a log line
  const bare = printable(text.replace(/\u001b\[[\d;:]{0,64}m/g, ''));
  return SEVERAL.test(bare) ? bare.normalize('NFC').replace(UNCERTAIN, '') : bare;
}

/** Of a text that is safe. */
export function cellsOf(text: string): number {
  if (!SEVERAL.test(text)) return text.length;
  let cells = 0;
  for (const character of text) cells += WIDE.test(character) ? 2 : 1;
  return cells;
}

/** As much of a text as there is room for; where it is cut, an ellipsis. */
export function cut(text: string, width: number): string {
  if (width <= 0) return '';
  if (cellsOf(text) <= width) return text;
  let kept = '';
  let cells = 0;
  for (const character of text) {
    const wide = cellsOf(character);
    if (cells + wide > width - 1) break;
    kept += character;
    cells += wide;
  }
  return `${kept}…`;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cellsOf(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - cellsOf(text))) + text;
}

/** A line that is no wider than the terminal. */
export function fit(line: Line, width: number): Line {
  const fitted: Run[] = [];
  let left = width;
  for (const { text, style } of line) {
    if (left <= 0) break;
    const part = cut(text, left);
    left -= cellsOf(part);
    if (part !== '') fitted.push({ text: part, style });
  }
  return fitted;
}

/** The same in one style, to the edge. */
export function bar(line: Line, width: number, style: Style): Line {
  const text = textOf(fit(line, width));
  return [run(padEnd(text, width), style)];
}

export function textOf(line: Line): string {
  return line.map(({ text }) => text).join('');
}

/** Two parts of a line: the second at the right edge, if both have room. */
export function spread(left: Line, right: Line, width: number): Line {
  const room = width - cellsOf(textOf(left)) - cellsOf(textOf(right));
  return room < 2 ? fit(left, width) : [...left, run(' '.repeat(room)), ...right];
}

const BARS = '▁▂▃▄▅▆▇█';

/** The last values as bars, the newest at the right. @param top the value of a whole bar */
export function sparkline(values: readonly (number | null)[], width: number, top: number): string {
  const shown = values.slice(-width).map((value) => {
    if (value === null) return ' ';
    const part = top <= 0 ? 0 : Math.min(1, Math.max(0, value / top));
    return BARS[Math.min(BARS.length - 1, Math.ceil(part * (BARS.length - 1)))] ?? ' ';
  });
  return padStart(shown.join(''), width);
}
