/**
 * JSON with a useful place for every syntax error. V8 tells none for most of them, and quotes the text around, in which
 * secrets may stand. Pure.
 *
 * https://www.rfc-editor.org/rfc/rfc8259
 */

/** Why a text is no JSON; `line` and `column` count from 1. */
export class JsonFault extends Error {
  readonly line: number;
  readonly column: number;

  constructor(text: string, at: number, expected: string) {
    const before = text.slice(0, at).split('\n');
    super(at >= text.length ? `the text ends where ${expected} is expected` : `${expected} is expected here`);
    this.line = before.length;
    this.column = before.at(-1)!.length + 1;
  }
}

/** @throws JsonFault */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw firstFault(text) ?? cause;
  }
}

const SPACE = /[ \t\n\r]*/y;
/** A token may be a bracket, a comma or a colon, or one of the values that have no parts. */
const TOKEN =
  /[{}[\],:]|"(?:[^"\\\p{Cc}]|[\x7F-\x9F]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy;

type Expected = 'value' | 'valueOrEnd' | 'name' | 'nameOrEnd' | 'colon' | 'commaOrEnd' | 'nothing';

const PHRASE: Record<Expected, (open: string | undefined) => string> = {
  value: () => 'a value',
  valueOrEnd: () => 'a value or "]"',
  name: () => 'a name in double quotes',
  nameOrEnd: () => 'a name in double quotes or "}"',
  colon: () => 'a colon',
  commaOrEnd: (open) => `a comma or "${open === '{' ? '}' : ']'}"`,
  nothing: () => 'the end of the text',
};

/** The place where the text stops being JSON; undefined if it never does. */
function firstFault(text: string): JsonFault | undefined {
  const open: string[] = [];
  let expected: Expected = 'value';
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
    if (at === text.length && expected === 'nothing') return undefined;
    TOKEN.lastIndex = at;
    const token: string = TOKEN.exec(text)?.[0] ?? '';
    const next: Expected | undefined = follow(expected, token, open);
    if (next === undefined) return new JsonFault(text, at, PHRASE[expected](open.at(-1)));
    expected = next;
    at += token.length;
  }
}

/** What is expected after `token`, or undefined if it must not stand there. Keeps the open brackets. */
function follow(expected: Expected, token: string, open: string[]): Expected | undefined {
  const isEnd = expected === 'valueOrEnd' || expected === 'nameOrEnd' || expected === 'commaOrEnd';
  if (isEnd && token === (open.at(-1) === '{' ? '}' : ']')) {
    open.pop();
    return open.length === 0 ? 'nothing' : 'commaOrEnd';
  }
  switch (expected) {
    case 'nothing':
      return undefined;
    case 'colon':
      return token === ':' ? 'value' : undefined;
    case 'commaOrEnd':
      if (token !== ',') return undefined;
      return open.at(-1) === '{' ? 'name' : 'value';
    case 'name':
    case 'nameOrEnd':
      return token.startsWith('"') ? 'colon' : undefined;
    default:
      if (token === '' || '}],:'.includes(token)) return undefined;
      if (token === '{' || token === '[') {
        open.push(token);
        return token === '{' ? 'nameOrEnd' : 'valueOrEnd';
      }
      return open.length === 0 ? 'nothing' : 'commaOrEnd';
  }
}
