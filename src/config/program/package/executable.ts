/** What a file is that a package manager, or its author, made executable: told from its beginning, and its name. Pure. */

export type Executable =
  | { readonly is: 'node'; readonly nodeArgs: readonly string[] }
  /** A shell script whose only purpose is to run another file with Node: pnpm's, and npm's cmd-shim. */
  | {
      readonly is: 'shim';
      readonly nodeArgs: readonly string[];
      /** Relative to the shim's folder, unless absolute. */
      readonly script: string;
      /** Folders in which modules are looked for besides. */
      readonly nodePath: string | null;
    }
  /** Its first line names another program. */
  | { readonly is: 'foreign'; readonly interpreter: readonly string[] }
  | { readonly is: 'binary' };

const SHEBANG = /^#!\s*(\S[^\n]*?)?\s*(?:\n|$)/;
const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'zsh']);
/** The last line that hands over to Node: `exec node --flag "$basedir/../x/cli.js" "$@"`. */
const HANDS_OVER =
  /^\s*exec\s+(?:"\$basedir\/node"|"?node"?)\s+(.*?)\s*"((?:\$basedir|\/)[^"]*)"((?:\s+[^"$\s]+)*)\s+"\$@"\s*$/gm;
const NODE_PATH = /^\s*export NODE_PATH="([^"]*?)(?::\$NODE_PATH)?"\s*$/m;

/** What runs a file that does not say so itself. */
const BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  ['.sh', 'bash'],
  ['.py', 'python'],
  ['.rb', 'ruby'],
  ['.php', 'php'],
  ['.pl', 'perl'],
]);

/**
 * @param head the first kilobytes of the file
 * @param name of the file
 */
export function executableOf(head: string, name = ''): Executable {
  if (head.includes('\0')) return { is: 'binary' };
  const line = SHEBANG.exec(head)?.[1];
  if (line === undefined) {
    const other = BY_EXTENSION.get(/\.[a-z]+$/.exec(name)?.[0] ?? '');
    return other === undefined ? { is: 'node', nodeArgs: [] } : { is: 'foreign', interpreter: [other] };
  }
  const words = line.split(/\s+/);
  if (baseName(words[0]) === 'env') {
    words.shift();
    if (words[0] === '-S') words.shift();
    else if (words[0]?.startsWith('-S')) words[0] = words[0].slice(2);
  }
  const [program = '', ...args] = words;
  const interpreter = baseName(program);
  if (interpreter === 'node' || interpreter === 'nodejs') return { is: 'node', nodeArgs: args };
  return (SHELLS.has(interpreter) ? shimOf(head) : null) ?? { is: 'foreign', interpreter: [interpreter, ...args] };
}

function shimOf(text: string): Executable | null {
  const found = [...text.matchAll(HANDS_OVER)].at(-1);
  if (found === undefined) return null;
  const [, options = '', target = '', args = ''] = found;
  // What is passed to the script besides cannot be told from what its user gives.
  if (args.trim() !== '') return null;
  return {
    is: 'shim',
    nodeArgs: options.split(/\s+/).filter((option) => option !== ''),
    script: target.replace(/^\$basedir\//, ''),
    nodePath: NODE_PATH.exec(text)?.[1] ?? null,
  };
}

function baseName(file = ''): string {
  return file.slice(file.lastIndexOf('/') + 1);
}
