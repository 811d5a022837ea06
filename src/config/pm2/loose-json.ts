/**
 * JSON as PM2's files often have it: comments, names without quotes, single quotes, a comma too many. PM2 runs such a file as JavaScript;
 * here it is only read, as the flow style of YAML, which is nearly the same.
 */
import { Unreadable } from '../text/text-file.js';

/** A text, or a comment. */
const TEXT_OR_COMMENT = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** @returns undefined where it is not that either */
export async function parseLooseJson(text: string): Promise<unknown> {
  const plain = text
    .replace(TEXT_OR_COMMENT, (found) => (found.startsWith('/') ? ' ' : found))
    // No separator in YAML.
    .replaceAll('\t', ' ')
    // `a:1` is one word in YAML.
    .replace(/([{,]\s*[A-Za-z_$][\w$]*\s*):(?=\S)/g, '$1: ');
  const { parseYaml } = await import('../text/yaml-text.js');
  try {
    const value = parseYaml(plain, ['args', 'env']);
    return typeof value === 'object' ? value : undefined;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}
