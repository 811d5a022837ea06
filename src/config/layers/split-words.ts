/**
 * Splits one string into arguments, as a POSIX shell does with spaces, quotes and backslashes. Nothing is expanded: no
 * variables, no globs. Pure.
 *
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02
 */

/** @returns the words, or null if a quote is not closed or a backslash ends the text */
export function splitWords(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === "'") {
      if (char === quote) quote = null;
      else word += char;
    } else if (char === '\\') {
      const next = text[++at];
      if (next === undefined) return null;
      // Between double quotes a backslash is itself, unless it stands before one of these.
      word = (word ?? '') + (quote === null || '"\\$`'.includes(next) ? next : char + next);
    } else if (quote === '"') {
      if (char === quote) quote = null;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== null) return null;
  if (word !== null) words.push(word);
  return words;
}
