// Stack traces go by file and line: keeps the lines of the sources in shortened code, and only them in its map.
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { minifySync } from 'rolldown/utils';

/**
 * Code without a space too many, in lines again where its sources have them: a stack trace goes by the lines.
 *
 * @throws where the code would no longer be the same
 */
export function inLines(fileName, code, mappings) {
  const lines = [];
  const mapped = [];
  for (const [i, line] of code.split('\n').entries()) {
    let begin = 0;
    let segments = [];
    let sourceLine;
    for (const segment of mappings[i] ?? []) {
      const [column, ...source] = segment;
      const at = `${source[0]}:${source[1]}`;
      // After one of these a line may end wherever a token begins.
      if (at !== sourceLine && column > begin && ';{,'.includes(line[column - 1])) {
        lines.push(line.slice(begin, column));
        mapped.push(segments);
        begin = column;
        segments = [];
      }
      sourceLine = at;
      segments.push([column - begin, ...source]);
    }
    lines.push(line.slice(begin));
    mapped.push(segments);
  }
  const lined = lines.join('\n');
  if (minifySync(fileName, lined).code !== minifySync(fileName, code).code) {
    throw new Error(`cannot divide ${fileName} into lines: it would be another program`);
  }
  return { code: lined, mappings: mapped };
}

/** A stack trace names file and line: a map of that alone is a quarter of the whole one. */
export function linesOnly({ version, sources, mappings }) {
  const lines = decode(mappings).map((segments) =>
    segments
      .filter((now, i) => i === 0 || now[1] !== segments[i - 1][1] || now[2] !== segments[i - 1][2])
      .map((segment) => segment.slice(0, 4)),
  );
  return { version, names: [], sources, mappings: encode(lines) };
}
