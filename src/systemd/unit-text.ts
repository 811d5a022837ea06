/**
 * How a value has to be written in a unit file so that systemd reads back just that: see systemd.syntax(7),
 * systemd.service(5) ("Command lines") and systemd.unit(5) ("Specifiers"). Pure.
 */
import { EXIT, HoldfastError } from '../errors.js';

/** A text, or one that is already as systemd is to see it: a specifier such as `%i`. */
export type Text = string | { readonly raw: string };

/** Means nothing to systemd, wherever it stands. */
const PLAIN = /^[A-Za-z0-9_@:,./+=-]+$/;

/** The words of a command. In its first, the program's path, systemd looks for no variables: there a `$` is one. */
export function commandLine([program, ...args]: readonly Text[]): string {
  return [...(program === undefined ? [] : [word(program)]), ...args.map((arg) => word(arg, true))].join(' ');
}

/** One word of a list: of variables, of paths. */
export function word(text: Text, isArgument = false): string {
  if (typeof text !== 'string') return text.raw;
  if (text.includes('\0')) throw unwritable(text, 'it has a zero byte');
  if (PLAIN.test(text)) return text;
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replace(/\p{Cc}/gu, escapeControl);
  return `"${isArgument ? escaped.replaceAll('$', '$$$$') : escaped}"`;
}

/** A setting that is one path to the end of its line: quotes and backslashes in it are its own. */
export function wholeLine(text: Text): string {
  if (typeof text !== 'string') return text.raw;
  if (/\p{Cc}/u.test(text)) throw unwritable(text, 'it has a control character');
  if (/\s$/.test(text)) throw unwritable(text, 'it ends with a space');
  if (text.endsWith('\\')) throw unwritable(text, 'it ends with a backslash');
  return text.replaceAll('%', '%%');
}

/** Bytes above 7F that are controls in Unicode are two bytes in UTF-8, and nothing to systemd. */
function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0x7f ? character : `\\x${code.toString(16).padStart(2, '0')}`;
}

function unwritable(text: string, reason: string): HoldfastError {
  return new HoldfastError('UNIT_UNWRITABLE', `cannot write ${JSON.stringify(text)} in a unit: ${reason}`, {
    hint: 'give it another name, or a symbolic link that has one',
    exitCode: EXIT.usage,
  });
}
