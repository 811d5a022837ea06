/** Text in cells of a terminal: how many it takes, and what of it has room. Pure. */
import { printable } from '../../terminal-text.js';

/** Two cells wide: UAX #11, and pictures. */
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\u30a0-\u30ff\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])/u;
/** Of a width that terminals do not agree on, or of none: what joins others, too. */
const UNCERTAIN = /[\p{M}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{RI}]|\p{Emoji_Modifier}/gu;
const NONE = /^[\p{M}\p{Cf}]/u;
const SEVERAL = /[^\u0020-\u007e]/;

/** What comes from elsewhere, on one line, without orders to a terminal and without what moves other cells. */
export function safe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a log line
  const bare = printable(text.replace(/\u001b\[[\d;:]{0,64}m/g, ''));
  return SEVERAL.test(bare) ? bare.normalize('NFC').replace(UNCERTAIN, '') : bare;
}

export function cellsOf(text: string): number {
  if (!SEVERAL.test(text)) return text.length;
  let cells = 0;
  for (const character of text) cells += WIDE.test(character) ? 2 : NONE.test(character) ? 0 : 1;
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

/** At blanks; a word that is longer than the width, most likely a path, stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/ +/)) {
    const last = lines.at(-1);
    if (last === undefined || cellsOf(last) + 1 + cellsOf(word) > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
