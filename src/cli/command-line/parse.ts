/**
 * Words in, an invocation out: which command, with what.
 *
 * Uses the parser of yargs alone. The rest of yargs (13 MB once loaded) is for the help only: `start` stays in memory
 * for months.
 */
import parseWords from 'yargs-parser';
import { isLauncher, joinWords } from '../../config/program/command/launchers.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { nearest } from '../../nearest.js';
import type { Invocation } from '../process/context.js';
import { type CommandSpec, commandsByWord, type FlagSpec, GLOBAL_FLAGS } from './catalog.js';
import { commandOfPm2, fileForName, flagsFromPm2 } from './pm2-words.js';

export type Parsed =
  | { readonly wants: 'version' }
  /** null: of holdfast as a whole. */
  | { readonly wants: 'help'; readonly spec: CommandSpec | null; readonly topic?: string }
  | { readonly wants: 'run'; readonly spec: CommandSpec; readonly invocation: Invocation };

const PARSER_CONFIGURATION = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'strip-aliased': true,
  // They come back as they were written, for the error. And `--node-args --inspect` is a value, not a riddle.
  'unknown-options-as-args': true,
} as const;

/**
 * @param argv the words behind `holdfast`
 * @throws HoldfastError USAGE, exit code 2
 */
export async function parseCommandLine(argv: readonly string[]): Promise<Parsed> {
  // Cut off first: nothing behind `--` is looked at.
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const behind = end === -1 ? [] : argv.slice(end + 1);

  const asksHelp = own[0] === 'help';
  const words = asksHelp ? own.slice(1) : own;
  const topic = asksHelp ? await topicIn(words) : null;
  if (topic !== null) return { wants: 'help', spec: commandsByWord().get(topic) ?? null, topic };
  const commands = commandsByWord();
  const flagless = words.findIndex((word) => !word.startsWith('-'));
  const word = words[flagless];
  const spec = word === undefined ? null : (commands.get(word) ?? null);
  if (word !== undefined && spec === null) {
    if (asksHelp) throw await unknownTopic(word, [...commands.keys()]);
    throw commandOfPm2(word) ?? unknownCommand(word, [...commands.keys()], flagless > 0);
  }

  const flags = [...GLOBAL_FLAGS, ...((await spec?.flags()) ?? [])];
  const meant = spec === null ? words : words.toSpliced(flagless, 1);
  const known = new Set(
    flags.flatMap(({ flag, alias }) => [`--${flag}`, ...(alias === undefined ? [] : [`-${alias}`])]),
  );
  const read = readWords(flagsFromPm2(meant, known), flags);
  if (asksHelp || read.values.help) return { wants: 'help', spec };
  if (read.values.version) return { wants: 'version' };

  const misnamed = spec?.names === undefined ? null : fileForName(spec.name, read.rest);
  if (misnamed !== null) throw misnamed;
  const [unknown] = read.rest.filter((rest) => /^-./.test(rest) && !/^-\d/.test(rest));
  if (unknown !== undefined) throw unknownOption(unknown, { spec, flags, launcher: launcherIn(spec, read) });
  if (spec === null) {
    throw usage('cannot run: no command given', `one of ${[...commands.keys()].join(', ')}; more with holdfast --help`);
  }
  return { wants: 'run', spec, invocation: { ...invoke(spec, read, behind), word } };
}

/** Loaded where help is asked for. */
async function topicIn(words: readonly string[]): Promise<string | null> {
  return (await import('./topics.js')).topicOf(words);
}

async function unknownTopic(word: string, commands: readonly string[]): Promise<HoldfastError> {
  const { TOPICS } = await import('./topics.js');
  const meant = nearest(word, [...commands, ...TOPICS.keys()]);
  return usage(
    `cannot help with ${word}: it is neither a command nor a topic`,
    meant === undefined
      ? `topics: ${[...TOPICS.keys()].join(', ')}; commands: holdfast --help`
      : `did you mean ${meant}?`,
  );
}

interface Words {
  readonly values: Record<string, boolean | string | readonly string[]>;
  readonly rest: readonly string[];
}

function readWords(words: readonly string[], flags: readonly FlagSpec[]): Words {
  const ofKind = (...kinds: FlagSpec['kind'][]) => flags.filter(({ kind }) => kinds.includes(kind)).map((f) => f.flag);
  const switches = ofKind('switch');
  const { _: rest, ...parsed } = parseWords(
    words.map((word) => readSwitch(word, switches)),
    {
      alias: Object.fromEntries(flags.flatMap(({ flag, alias }) => (alias === undefined ? [] : [[flag, [alias]]]))),
      boolean: switches,
      string: ofKind('value', 'list'),
      array: ofKind('list'),
      configuration: PARSER_CONFIGURATION,
    },
  );
  const values: Words['values'] = {};
  for (const { flag, kind, option } of flags) {
    const given: unknown = parsed[flag];
    // An option may be true in the file; what only the command line knows is off by itself.
    if (given === undefined || (given === false && option === undefined)) continue;
    const texts = [given].flat().map(String);
    if (kind !== 'switch' && (texts.length === 0 || texts.includes(''))) throw missingValue(flag);
    // Given twice, the last one counts, so that a script can append what it wants different.
    values[flag] = kind === 'switch' ? given === true : kind === 'list' ? texts : (texts.at(-1) ?? '');
  }
  // The parser takes `--no-...` for known, whatever follows.
  const strays = Object.keys(parsed).filter((key) => !flags.some(({ flag }) => flag === key));
  return { values, rest: [...strays.map((key) => `--${key}`), ...rest.map(String)] };
}

/** `--no-x` is `--x=false`. @throws HoldfastError USAGE for any other value than true and false */
function readSwitch(word: string, switches: readonly string[]): string {
  const [, no, flag = '', value] = /^--(no-)?([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (!switches.includes(flag)) return word;
  if (no !== undefined && value !== undefined) throw usage(`cannot use ${word}: --no-${flag} takes no value`);
  if (value !== undefined && value !== 'true' && value !== 'false') {
    throw usage(`cannot use ${word}: --${flag} takes true or false, or no value`);
  }
  return no === undefined ? word : `--${flag}=false`;
}

function invoke(spec: CommandSpec, read: Words, behind: readonly string[]): Invocation {
  const { operand } = spec;
  const all = operandsOf(spec, read, behind);
  // The operand of a command comes after the names.
  const hasOperand = operand !== undefined && (operand.pattern?.test(all.at(-1) ?? '') ?? true);
  const count = spec.names === undefined ? 0 : hasOperand ? Math.max(0, all.length - 1) : all.length;
  const names = all.slice(0, spec.names === 'one' ? Math.min(count, 1) : count);
  const operands = all.slice(names.length);
  const isMeant = operand !== undefined && (hasOperand || operands.length === 0);
  const surplus = operands[isMeant ? 1 : 0];
  if (surplus !== undefined) {
    const takes = [
      ...(spec.names === undefined ? [] : [spec.names === 'one' ? 'one name' : 'names']),
      ...(operand ? [`one ${operand.name}`] : []),
    ];
    throw usage(
      `cannot use ${JSON.stringify(surplus)}: ${spec.name} takes ${takes.join(' and ') || 'nothing'}`,
      spec.applicationArgs ? 'arguments for the application go behind --' : `see holdfast ${spec.name} --help`,
    );
  }
  if (operand?.required && operands[0] === undefined) {
    // A word that was meant as the operand has been taken for a name.
    const what = [spec.name, ...names].join(' ');
    throw usage(`cannot ${what}: <${operand.name}> is missing`, `${operand.name}: ${operand.describe}`);
  }
  const [name] = names;
  if (name !== undefined && read.values.name !== undefined) {
    throw usage(`cannot use ${JSON.stringify(name)} and --name at once`, 'give the name once');
  }
  const isOne = names.length === 1 && !(spec.names === 'many' && name === 'all');
  return {
    operand: operands[0],
    applicationArgs: spec.applicationArgs ? behind : [],
    flags: isOne && name !== undefined ? { ...read.values, name } : read.values,
    ...(!isOne && names.length > 0 && { names }),
  };
}

function operandsOf(spec: CommandSpec, read: Words, behind: readonly string[]): readonly string[] {
  if (launcherIn(spec, read) !== null) return [joinWords(read.rest)];
  // `scale -- -1` is how one writes an operand that looks like an option.
  return spec.applicationArgs ? read.rest : [...read.rest, ...behind];
}

/** `start npm run x`: the words behind such a word belong to it. */
function launcherIn(spec: CommandSpec | null, { rest }: Words): string | null {
  const [first] = rest;
  return spec?.applicationArgs && first !== undefined && isLauncher(first) ? first : null;
}

function unknownCommand(word: string, known: readonly string[], afterOption: boolean): HoldfastError {
  const meant = nearest(word, known);
  let hint = `one of ${known.join(', ')}`;
  if (afterOption) hint = 'the command comes first, its options behind it';
  else if (meant !== undefined) hint = `did you mean ${meant}?`;
  else if (/[./]/.test(word)) hint = `to start it: holdfast start ${word}`;
  return usage(`cannot run ${word}: no such command`, hint);
}

interface Asked {
  readonly spec: CommandSpec | null;
  readonly flags: readonly FlagSpec[];
  readonly launcher: string | null;
}

function unknownOption(word: string, { spec, flags, launcher }: Asked): HoldfastError {
  const option = word.split('=', 1)[0] ?? word;
  const meant = option.startsWith('--')
    ? nearest(
        option.slice(2),
        flags.map(({ flag }) => flag),
      )
    : undefined;
  const hints = [
    ...(meant === undefined ? [] : [`did you mean --${meant}?`]),
    ...(launcher === null ? [] : [`write the whole command in quotes: "${launcher} ..."`]),
    ...(spec?.applicationArgs && launcher === null ? ['arguments for the application go behind --'] : []),
  ];
  const command = spec === null ? 'holdfast' : spec.name;
  return usage(
    `cannot use ${option}: ${command} has no such option`,
    hints.join(' ') || `see holdfast ${spec === null ? '' : `${spec.name} `}--help`,
  );
}

function missingValue(flag: string): HoldfastError {
  return usage(`cannot use --${flag}: its value is missing`, `a value that begins with a dash: --${flag}=VALUE`);
}

function usage(message: string, hint?: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
