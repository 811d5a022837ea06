/**
 * Draws lines over those that were drawn before, on a terminal. Pure.
 *
 * Nothing is erased before the new is there, so nothing flickers; the cursor is never hidden, so whatever ends the process leaves
 * the terminal as it was. ECMA-48; synchronized output where the terminal knows it.
 */

import { cellsOf } from '../output/cells.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no room
const COLOUR = /\u001b\[[\d;]*m/g;
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
const TO_END_OF_LINE = '\u001b[K';
const TO_END_OF_SCREEN = '\u001b[J';

/**
 * @param before the lines that were drawn last, the cursor being below them; empty the first time
 * @param width of the terminal now: it may have become narrower, and have broken them anew
 */
export function drawOver(before: readonly string[], lines: readonly string[], width: number): string {
  const rows = before.reduce((sum, line) => sum + rowsOf(line, width), 0);
  const up = rows === 0 ? '' : `\u001b[${rows}A`;
  const text = lines.map((line) => `${line}${TO_END_OF_LINE}\n`).join('');
  return `${BEGIN}${up}\r${text}${TO_END_OF_SCREEN}${END}`;
}

function rowsOf(line: string, width: number): number {
  return Math.max(1, Math.ceil(cellsOf(line.replace(COLOUR, '')) / Math.max(1, width)));
}
