/** The first word of a command, and what it means for the rest. Pure. */
import path from 'node:path';
import { REFUSED } from './launchers.js';
import { nodeStep, tsNodeStep, tsxStep } from './node-step.js';
import { npmStep, npxStep, pnpmStep, yarnStep } from './package-managers.js';
import { type EnvFile, refuse, type Step } from './step.js';

const ASSIGNMENT = /^([A-Za-z_]\w*)=([\s\S]*)$/;

/** @returns null for a word that is no launcher: a program, a package, a file */
export function stepOf(words: readonly string[]): Step | null {
  const [word = '', ...rest] = words;
  const name = launcherName(word);
  const refused = REFUSED.get(name);
  if (refused !== undefined) return refuse(refused);
  switch (name) {
    case 'node':
      return nodeStep(rest);
    case 'tsx':
      return tsxStep(rest);
    case 'ts-node':
    case 'ts-node-esm':
    case 'ts-node-transpile-only':
      return tsNodeStep(name, rest);
    case 'npm':
      return npmStep(rest);
    case 'npx':
    case 'pnpx':
      return npxStep(rest);
    case 'pnpm':
      return pnpmStep(rest);
    case 'yarn':
    case 'yarnpkg':
      return yarnStep(rest);
    case 'env':
    case 'cross-env':
      return assignments(rest);
    case 'cross-env-shell': {
      const step = assignments(rest);
      return step.go !== 'command'
        ? step
        : { go: 'shell', text: step.words.join(' '), ...(step.env && { env: step.env }) };
    }
    case 'env-cmd':
      return envCmdStep(rest);
    case 'dotenv':
      return dotenvStep(rest);
    case 'sh':
    case 'bash':
      return rest[0] === '-c' && rest.length === 2
        ? { go: 'shell', text: rest[1]! }
        : refuse('is a shell: name the program that it starts');
    case 'exec':
    case 'dumb-init':
    case 'tini':
      return init(rest);
    default:
      return null;
  }
}

/** By its bare name, or by the path at which a package manager installs it. */
function launcherName(word: string): string {
  const isInstalled = path.basename(path.dirname(word)) === '.bin';
  return word.includes('/') && !isInstalled ? word : path.basename(word);
}

/** `env`, `cross-env`: variables, then the command. */
function assignments(words: readonly string[]): Step {
  const env: Record<string, string> = {};
  let at = 0;
  for (; at < words.length; at++) {
    const [, name, value = ''] = ASSIGNMENT.exec(words[at]!) ?? [];
    if (name === undefined) break;
    // cross-env takes quotes off that the shell has left.
    env[name] = /^(['"])([\s\S]*)\1$/.exec(value)?.[2] ?? value;
  }
  return command(words.slice(at), { env });
}

function init(words: readonly string[]): Step {
  const at = words.findIndex((word) => !/^-[gsvc]+$/.test(word));
  const rest = words.slice(at === -1 ? words.length : at);
  return command(rest[0] === '--' ? rest.slice(1) : rest, {});
}

interface Option {
  readonly word: string;
  readonly name: string;
  /** Its own, behind `=`, or else the next word. */
  readonly value: () => string;
  /** The same, unless the next word is an option itself. */
  readonly valueIfAny: () => string;
}

/**
 * The options between a launcher and its command.
 *
 * @param take returns null where it knows the option, or why it cannot be followed
 * @returns the words of the command, or that reason
 */
function behindOptions(words: readonly string[], take: (option: Option) => string | null): readonly string[] | string {
  let at = 0;
  for (; words[at]?.startsWith('-'); at++) {
    const word = words[at]!;
    if (word === '--') return words.slice(at + 1);
    const [name = '', own] = word.split('=', 2);
    const value = () => own ?? words[++at] ?? '';
    const valueIfAny = () => (own === undefined && (words[at + 1] ?? '-').startsWith('-') ? '' : value());
    const reason = take({ word, name, value, valueIfAny });
    if (reason !== null) return reason;
  }
  return words.slice(at);
}

/** https://github.com/toddbluhm/env-cmd */
function envCmdStep(words: readonly string[]): Step {
  let file = '.env';
  let overrides = true;
  let expands = false;
  let mayBeMissing = false;
  const rest = behindOptions(words, ({ word, name, value }) => {
    if (name === '-f' || name === '--file') file = value();
    else if (word === '--no-override') overrides = false;
    else if (word === '--recursive') expands = true;
    else if (word === '--silent') mayBeMissing = true;
    else if (word !== '--verbose') return unfollowed(name);
    return null;
  });
  if (typeof rest === 'string') return refuse(rest);
  if (/\.(?:json|[cm]?js)$/.test(file)) return refuse(`reads ${file}, which is a program: ${ENV_HINT}`);
  return command(rest, { envFiles: [{ file, overrides, expands, mayBeMissing }] });
}

/** https://github.com/entropitor/dotenv-cli */
function dotenvStep(words: readonly string[]): Step {
  const files: string[] = [];
  const env: Record<string, string> = {};
  let cascade: string | null = null;
  let overrides = false;
  let expands = true;
  const rest = behindOptions(words, ({ word, name, value, valueIfAny }) => {
    if (name === '-e') files.push(value());
    else if (word === '-v') {
      const [, variable, text = ''] = ASSIGNMENT.exec(value()) ?? [];
      if (variable === undefined) return 'has -v without NAME=VALUE';
      env[variable] = text;
    } else if (name === '-c') cascade = valueIfAny();
    else if (word === '-o' || word === '--override') overrides = true;
    else if (word === '--no-expand') expands = false;
    else if (!/^(?:-q|--quiet)$/.test(name)) return unfollowed(name);
    return null;
  });
  if (typeof rest === 'string') return refuse(rest);
  const stage: string | null = cascade;
  const envFiles = (files.length === 0 ? ['.env'] : files)
    .flatMap((file) => (stage === null ? [file] : cascaded(file, stage)))
    .map((file): EnvFile => ({ file, overrides, expands, mayBeMissing: true }));
  return command(rest, { env, envFiles });
}

function cascaded(file: string, stage: string): string[] {
  return stage === '' ? [`${file}.local`, file] : [`${file}.${stage}.local`, `${file}.local`, `${file}.${stage}`, file];
}

const ENV_HINT = 'give the variables by envFile, and name the rest';

function unfollowed(option: string): string {
  return `has the option ${option}, which is not followed: ${ENV_HINT}`;
}

function command(words: readonly string[], more: Omit<Step & { go: 'command' }, 'go' | 'words'>): Step {
  return words.length === 0 || words[0]!.startsWith('-')
    ? refuse(words.length === 0 ? 'starts nothing' : `has the option ${words[0]}, which is not followed`)
    : { go: 'command', words, ...more };
}
