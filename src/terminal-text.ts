/**
 * Text on its way to a terminal. Whatever has come from elsewhere may be in it: a worker's output, a configuration, the answer of
 * a socket that somebody else made. A terminal would obey some of it: move the cursor, write over a line, set its title, turn
 * the direction of the text (Trojan Source). Pure.
 */

/** Colours and the like, as ECMA-48 has them: harmless, as they end with their line. */
const COLOUR = '\\u001b\\[[\\d;:]{0,64}m';
/** All of C0 but newline and tab, DEL, C1, the line ends of Unicode, and what turns the direction. */
const OBEYED = '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]';
// The line end of other systems is no order.
const EDGE = new RegExp(`\\r\\n|${COLOUR}|${OBEYED}`, 'g');
const ANY = new RegExp(`(?:${OBEYED}|[\\n\\t])+`, 'g');
const RESET = '\u001b[0m';

/**
 * For what is written to people and programs alike: what a terminal would obey is shown by its number, as JSON writes it, so
 * that JSON stays what it was. Colours pass, and end with their line.
 */
export function terminalText(text: string): string {
  let colours = false;
  const safe = text.replace(EDGE, (found) => {
    if (found === '\r\n') return '\n';
    if (found.length > 1) {
      colours = true;
      return found;
    }
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  if (!colours) return safe;
  return safe
    .split('\n')
    .map((line) => (line.includes('\u001b') && !line.endsWith(RESET) ? `${line}${RESET}` : line))
    .join('\n');
}

/** For a field among others: on one line, without colours of its own. */
export function printable(text: string): string {
  return text.replace(ANY, ' ').trimEnd();
}
