/** Text of a configuration with comments: YAML that a person goes on with. Pure. */

export interface Line {
  readonly key: string;
  readonly value: unknown;
  /** Stand above it, each a line. */
  readonly comments?: readonly string[];
}

/** Where a width of the editor ends. */
const WIDTH = 100;
/** What needs no quotes: nothing that YAML 1.1 or 1.2 reads as anything but a text. */
const PLAIN = /^(?![-.]?\d)(?!(?:true|false|yes|no|on|off|null|y|n|~)$)[A-Za-z.][\w./-]*(?: [\w./-]+)*$/i;

/** Times, sizes and shares, which are no numbers to YAML. */
const AMOUNT = /^[1-9]\d*(?:ms|s|m|h|K|M|G|%)$/;

/** @param indent of all its lines, in characters */
export function yamlLines(lines: readonly Line[], indent = 0): string[] {
  const before = ' '.repeat(indent);
  return lines.flatMap(({ key, value, comments = [] }) => [
    ...comments.flatMap((comment) => commentLines(comment, indent)),
    ...yamlValue(key, value).map((line) => before + line),
  ]);
}

export function commentLines(text: string, indent = 0): string[] {
  const before = `${' '.repeat(indent)}# `;
  const lines: string[] = [];
  let line = '';
  for (const word of text.replace(/\s+/g, ' ').split(' ')) {
    if (line !== '' && before.length + line.length + 1 + word.length > WIDTH) {
      lines.push(before + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, before + line];
}

/** The lines of several applications below `apps:`. */
export function asListItem(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => !line.startsWith('#'));
  return lines.map((line, index) => (line === '' ? '' : index === first ? `  - ${line}` : `    ${line}`));
}

function yamlValue(key: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${key}: ${scalar(value)}`];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${key}: {}`];
  return [`${key}:`, ...entries.map(([name, item]) => `  ${scalar(name)}: ${scalar(item)}`)];
}

function scalar(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(scalar).join(', ')}]`;
  if (typeof value === 'string') return PLAIN.test(value) || AMOUNT.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? 'null';
}
