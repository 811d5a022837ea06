/** Text in cells of a terminal, with how it is painted: what a view is made of. Pure. */
import { cellsOf, cut, padEnd, padStart } from './cells.js';

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

export function run(text: string, style: Style = 'plain'): Run {
  return { text, style };
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
