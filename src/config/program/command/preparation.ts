/** Commands that only prepare for the one behind them. Pure. */
import type { ShellCommand } from './shell-text.js';

export interface Preparation {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** `cd server &&` and `export A=1 &&`; null for a command that does something else. */
export function preparationOf({ words, assignments, joint }: ShellCommand): Preparation | null {
  if ((joint !== '&&' && joint !== ';') || Object.keys(assignments).length > 0) return null;
  const [word, ...operands] = words;
  const [folder] = operands;
  if (word === 'cd') {
    return operands.length === 1 && folder !== undefined && !folder.startsWith('-') ? { cwd: folder } : null;
  }
  if (word !== 'export') return null;
  const pairs = operands.map((operand) => /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(operand));
  return pairs.includes(null) ? null : { env: Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]])) };
}
