/**
 * Reads a command as a POSIX shell does: what a `start` script says, or the owner. Words, quotes, variables and the joints
 * between commands are understood; what needs a real shell is refused with a reason. Runs nothing. Pure.
 *
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html
 */

export interface ShellCommand {
  /** Variables that stand before the first word. */
  readonly assignments: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  /** As it is written. */
  readonly text: string;
  /** What joins it to the command behind it: `&&`, `|` …; empty for the last one. */
  readonly joint: string;
}

export type ShellText = { readonly commands: readonly ShellCommand[] } | { readonly reason: string };

const NAME = /[A-Za-z_]\w*/y;
const ASSIGNMENT = /^([A-Za-z_]\w*)=([\s\S]*)$/;
const JOINT = /&&|\|\||\|&|[;&|\n]/y;
const KEYWORDS = new Set(['if', 'for', 'while', 'until', 'case', 'function', '{', '!', '[[', 'trap', 'eval']);

class NeedsShell extends Error {}

/** @param env what variables come to */
export function readShellText(text: string, env: NodeJS.ProcessEnv): ShellText {
  try {
    const commands = new Reader(text, env).read();
    const keyword = commands.flatMap(({ words }) => words.slice(0, 1)).find((word) => KEYWORDS.has(word));
    if (keyword !== undefined) throw new NeedsShell(`"${keyword}" needs a shell`);
    if (commands.length === 0) throw new NeedsShell('there is no command in it');
    return { commands };
  } catch (error) {
    if (!(error instanceof NeedsShell)) throw error;
    return { reason: error.message };
  }
}

/** Puts variables in: `$NAME`, `${NAME}`, `${NAME:-text}`. Other text stays as it is. @returns null where it needs a shell */
export function expandVariables(text: string, env: NodeJS.ProcessEnv): string | null {
  try {
    let result = '';
    for (let at = 0; at < text.length; ) {
      if (text[at] === '\\' && text[at + 1] === '$') {
        result += '$';
        at += 2;
      } else if (text[at] === '$') {
        const { value, end } = readVariable(text, at, env);
        result += value;
        at = end;
      } else {
        result += text[at];
        at += 1;
      }
    }
    return result;
  } catch (error) {
    if (!(error instanceof NeedsShell)) throw error;
    return null;
  }
}

class Reader {
  readonly #text: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #commands: ShellCommand[] = [];
  #assignments: Record<string, string> = {};
  #words: string[] = [];
  #word: string | null = null;
  #begin = 0;
  #at = 0;

  constructor(text: string, env: NodeJS.ProcessEnv) {
    this.#text = text;
    this.#env = env;
  }

  /** @throws NeedsShell */
  read(): ShellCommand[] {
    while (this.#at < this.#text.length) this.#next(this.#text[this.#at]!);
    this.#endCommand('', this.#at);
    return this.#commands;
  }

  #next(char: string): void {
    if (char === "'") this.#singleQuoted();
    else if (char === '"') this.#doubleQuoted();
    else if (char === '\\') this.#escaped();
    else if (char === '$') this.#variable();
    else if (char === '`') throw new NeedsShell('the result of another command (`…`) needs a shell');
    else if ('<>'.includes(char)) throw new NeedsShell(`a redirection (${char}) needs a shell`);
    else if ('()'.includes(char)) throw new NeedsShell('brackets need a shell');
    else if ('*?['.includes(char)) throw new NeedsShell(`a pattern of file names (${char}) needs a shell`);
    else if (char === '#' && this.#word === null) this.#comment();
    else if (char === '~' && this.#word === null) this.#home();
    else if (!this.#joint() && !this.#space(char)) this.#add(char);
  }

  #add(text: string, length = 1): void {
    this.#word = (this.#word ?? '') + text;
    this.#at += length;
  }

  #singleQuoted(): void {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end === -1) throw new NeedsShell('a quote is not closed');
    this.#add(this.#text.slice(this.#at + 1, end), end + 1 - this.#at);
  }

  #doubleQuoted(): void {
    this.#add('');
    while (this.#text[this.#at] !== '"') {
      const char = this.#text[this.#at];
      const next = this.#text[this.#at + 1] ?? '';
      if (char === undefined) throw new NeedsShell('a quote is not closed');
      if (char === '`') throw new NeedsShell('the result of another command (`…`) needs a shell');
      if (char === '\\' && '"\\$`'.includes(next)) this.#add(next, 2);
      else if (char === '$') {
        const { value, end } = readVariable(this.#text, this.#at, this.#env);
        this.#add(value, end - this.#at);
      } else this.#add(char);
    }
    this.#at += 1;
  }

  #escaped(): void {
    const next = this.#text[this.#at + 1];
    if (next === undefined) throw new NeedsShell('a backslash stands at its end');
    // With a line break it continues the line.
    if (next === '\n') this.#at += 2;
    else this.#add(next, 2);
  }

  /** Without quotes a value that has spaces is several words, but for the value of an assignment. */
  #variable(): void {
    const { value, end } = readVariable(this.#text, this.#at, this.#env);
    this.#at = end;
    const isAssignment = this.#words.length === 0 && ASSIGNMENT.test(this.#word ?? '');
    for (const [index, part] of (isAssignment ? [value] : value.split(/\s+/)).entries()) {
      if (index > 0) this.#endWord();
      if (part !== '' || isAssignment) this.#add(part, 0);
    }
  }

  #comment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end === -1 ? this.#text.length : end;
  }

  #home(): void {
    if (/^~(?=[/\s]|$)/.test(this.#text.slice(this.#at))) this.#add(this.#env.HOME ?? '~');
    else this.#add('~');
  }

  #joint(): boolean {
    JOINT.lastIndex = this.#at;
    const joint = JOINT.exec(this.#text)?.[0];
    if (joint === undefined) return false;
    this.#endCommand(joint === '\n' ? ';' : joint, this.#at);
    this.#at += joint.length;
    this.#begin = this.#at;
    return true;
  }

  #space(char: string): boolean {
    if (!/\s/.test(char)) return false;
    this.#endWord();
    this.#at += 1;
    return true;
  }

  #endWord(): void {
    if (this.#word === null) return;
    const [, name, value = ''] = ASSIGNMENT.exec(this.#word) ?? [];
    if (this.#words.length === 0 && name !== undefined) this.#assignments[name] = value;
    else this.#words.push(this.#word);
    this.#word = null;
  }

  #endCommand(joint: string, end: number): void {
    this.#endWord();
    const isEmpty = this.#words.length === 0 && Object.keys(this.#assignments).length === 0;
    const text = this.#text.slice(this.#begin, end).trim();
    if (!isEmpty) this.#commands.push({ assignments: this.#assignments, words: this.#words, text, joint });
    this.#assignments = {};
    this.#words = [];
  }
}

/** @param at where the `$` is */
function readVariable(text: string, at: number, env: NodeJS.ProcessEnv): { value: string; end: number } {
  NAME.lastIndex = at + 1;
  const name = NAME.exec(text)?.[0];
  if (name !== undefined) return { value: env[name] ?? '', end: NAME.lastIndex };
  const next = text[at + 1] ?? '';
  if (next === '{') {
    const end = text.indexOf('}', at);
    const [, braced, operator, fallback = ''] =
      /^\{([A-Za-z_]\w*)(?:(:?-)([^$`'"\\{]*))?$/.exec(text.slice(at + 1, Math.max(end, at))) ?? [];
    if (braced === undefined) throw new NeedsShell(`${text.slice(at, end === -1 ? undefined : end + 1)} needs a shell`);
    const value = env[braced];
    const isMissing = operator === ':-' ? !value : value === undefined;
    return { value: isMissing ? fallback : (value ?? ''), end: end + 1 };
  }
  if (next === '(') throw new NeedsShell('the result of another command, $(…), needs a shell');
  if (/[\d@*#?$!-]/.test(next)) throw new NeedsShell(`$${next} needs a shell`);
  return { value: '$', end: at + 1 };
}
