/** npm, pnpm, yarn and npx: which script or program their words mean. Pure. */
import { refuse, type Step } from './step.js';

interface Grammar {
  readonly flags: ReadonlySet<string>;
  /** Options that name the folder. */
  readonly folder: ReadonlySet<string>;
  /** Options that choose among the packages of a workspace. */
  readonly workspace: ReadonlySet<string>;
}

const QUIET = ['-s', '--silent', '-q', '--quiet', '--if-present', '-y', '--yes', '--offline', '--prefer-offline'];

const NPM: Grammar = {
  flags: new Set([
    ...QUIET,
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--foreground-scripts',
    '--no',
    '--no-install',
  ]),
  folder: new Set(['--prefix', '-C']),
  workspace: new Set(['-w', '--workspace', '-ws', '--workspaces']),
};
const PNPM: Grammar = {
  flags: new Set(QUIET),
  folder: new Set(['--dir', '-C']),
  workspace: new Set(['-F', '--filter', '-r', '--recursive', '-w', '--workspace-root']),
};
const YARN: Grammar = {
  flags: new Set([...QUIET, '--production']),
  folder: new Set(['--cwd']),
  workspace: new Set([]),
};

/** @param words behind `npm` */
export function npmStep(words: readonly string[]): Step {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const behind = end === -1 ? [] : words.slice(end + 1);
  // npm reads its own options wherever they stand, as long as it is before `--`.
  const { cwd, rest, refusal } = takeOptions('npm', own, NPM, true);
  if (refusal !== null) return refusal;
  const [command, ...operands] = rest;
  switch (command) {
    case 'start':
    case 'test':
    case 'restart':
      return script(command, [...operands, ...behind], cwd);
    case 'run':
    case 'run-script':
    case 'rum':
    case 'urn': {
      const [name, ...args] = operands;
      return name === undefined ? refuse('names no script: npm run NAME') : script(name, [...args, ...behind], cwd);
    }
    case 'exec':
    case 'x':
      return execute([...operands, ...behind], cwd);
    default:
      return refuse(`${command ?? 'alone'} starts nothing: npm start, npm run NAME, npm exec NAME`);
  }
}

/** @param words behind `npx` or `pnpx` */
export function npxStep(words: readonly string[]): Step {
  const { cwd, rest, refusal } = takeOptions('npx', words, NPM, false);
  if (refusal !== null) return refusal;
  return execute(rest[0] === '--' ? rest.slice(1) : rest, cwd);
}

/** @param words behind `pnpm` */
export function pnpmStep(words: readonly string[]): Step {
  const { cwd, rest, refusal } = takeOptions('pnpm', words, PNPM, false);
  return refusal ?? runOrExecute('pnpm', rest, cwd);
}

/** @param words behind `yarn` */
export function yarnStep(words: readonly string[]): Step {
  const { cwd, rest, refusal } = takeOptions('yarn', words, YARN, false);
  if (refusal !== null) return refusal;
  if (rest[0] === 'workspace') return refuse(`chooses a package: ${HINT_FOLDER}`);
  // Bare `yarn` installs.
  return runOrExecute('yarn', rest, cwd);
}

const HINT_FOLDER = 'name its folder, with --cwd';
/** Commands of pnpm and yarn that start nothing that is installed. */
const OTHERS = new Set(['dlx', 'create', 'install', 'i', 'add', 'remove', 'up', 'update', 'deploy', 'publish']);

function runOrExecute(manager: string, words: readonly string[], cwd: string | undefined): Step {
  const [command, ...operands] = words;
  const [first, ...args] = operands;
  if (command === undefined || command.startsWith('-') || OTHERS.has(command)) {
    return refuse(`${command ?? 'alone'} starts nothing: ${manager} start, ${manager} run NAME`);
  }
  switch (command) {
    case 'run':
    case 'run-script':
      if (first === undefined) return refuse(`names no script: ${manager} run NAME`);
      return { ...script(first, args, cwd), orProgram: manager === 'yarn' };
    case 'exec':
      return execute(operands, cwd);
    case 'node':
      return { go: 'command', words, ...(cwd !== undefined && { cwd }) };
    default:
      return { ...script(command, operands, cwd), orProgram: command !== 'start' };
  }
}

function script(name: string, args: readonly string[], cwd: string | undefined) {
  return { go: 'script' as const, name, args, orProgram: false, ...(cwd !== undefined && { cwd }) };
}

/** A program by its name, with a version that it may be given; `--` may stand before or behind the name. */
function execute(words: readonly string[], cwd: string | undefined): Step {
  const [word, ...rest] = words[0] === '--' ? words.slice(1) : words;
  if (word === undefined) return refuse('names no program');
  if (word.startsWith('-')) return refuse(`has the option ${word}, which is not followed: name the program itself`);
  const args = rest[0] === '--' ? rest.slice(1) : rest;
  const name = word.replace(/(?<=.)@[^/]*$/, '');
  return { go: 'command', words: [name, ...args], ...(cwd !== undefined && { cwd }) };
}

interface Taken {
  readonly cwd: string | undefined;
  readonly rest: readonly string[];
  readonly refusal: Step | null;
}

/** @param anywhere whether options may stand behind the first word that is none */
function takeOptions(manager: string, words: readonly string[], grammar: Grammar, anywhere: boolean): Taken {
  const rest: string[] = [];
  let cwd: string | undefined;
  const refused = (reason: string): Taken => ({ cwd, rest, refusal: refuse(reason) });
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!word.startsWith('-') || word === '--') {
      if (!anywhere) return { cwd, rest: words.slice(at), refusal: null };
      rest.push(word);
      continue;
    }
    const [option = word, value] = word.split('=', 2);
    if (grammar.folder.has(option)) cwd = value ?? words[++at];
    else if (grammar.workspace.has(option)) return refused(`chooses a package by ${option}: ${HINT_FOLDER}`);
    else if (!grammar.flags.has(option)) {
      return refused(
        `has the option ${option} of ${manager}, which is not followed: leave it out, or name the program itself`,
      );
    }
  }
  return { cwd, rest, refusal: null };
}
