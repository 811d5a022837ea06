/** How commands are told to people. Pure. */
import { joinWords } from './launchers.js';
import type { ShellCommand } from './shell-text.js';

/** The words without those that are the application's; the values of variables are nobody's business. */
export function labelOf(words: readonly string[], own: number): string {
  const shown = words
    .slice(0, Math.max(1, words.length - own))
    .map((word) => word.replace(/^([A-Za-z_]\w*)=.+$/s, '$1=…'));
  if (shown.at(-1) === '--') shown.pop();
  return shown.every((word) => !/[\s']/.test(word)) ? shown.join(' ') : joinWords(shown);
}

export function severalCommands(told: string, commands: readonly ShellCommand[]): string {
  const joints = new Set(commands.map(({ joint }) => joint).filter((joint) => joint !== ''));
  const one = (text: string | undefined) => quoted(text ?? '');
  if (joints.has('&')) {
    return `must be one command; ${told}, which stays in the background: give each program to a supervisor of its own`;
  }
  if (joints.has('||')) return `must be one command; ${told}: give ${one(commands[0]?.text)} alone`;
  const lists = commands.findLastIndex(({ joint }) => joint === '&&' || joint === ';');
  const target = commands[lists + 1] ?? commands.at(-1);
  const others = lists === -1 ? '' : 'run the others in your deployment, and ';
  return `must be one command; ${told}: ${others}give ${one(target?.text)}`;
}

export function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
