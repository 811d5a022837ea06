/** The help texts, laid out by yargs. Loaded only when somebody asks. */
import Yargs from 'yargs';
import { COMMANDS, type CommandSpec, type FlagSpec, GLOBAL_FLAGS } from './catalog.js';
import { TOPICS } from './topics.js';

const EXIT_CODES = `Exit codes:
  0  done
  1  failed, or rolled back
  2  wrong use, or a bad configuration
  3  no such supervisor`;

const EXAMPLES = [
  ['$0 start server.js -i max', 'a worker for each processor'],
  ['$0 ls', 'what runs'],
  ['$0 reload shop', 'after a deployment'],
] as const;

/** @param columns the width of the terminal; 100 at most is used */
export async function helpFor(spec: CommandSpec | null, columns = 80, topic?: string): Promise<string> {
  const text = topic === undefined ? undefined : TOPICS.get(topic);
  if (text !== undefined && spec === null) return text;
  const help = Yargs()
    .scriptName('holdfast')
    .locale('en')
    .exitProcess(false)
    .help(false)
    .version(false)
    .wrap(Math.min(columns, 100));
  if (spec === null) {
    help.usage('Usage: $0 <command>\n\nKeeps the port of a Node server open while everything behind it is replaced.');
    for (const { name, names, operand, aliases, describe } of COMMANDS) {
      help.command([`${name}${namesText(names)}${operandText(operand)}`, ...aliases], describe);
    }
    addFlags(help, GLOBAL_FLAGS);
    for (const [command, meaning] of EXAMPLES) help.example(command, meaning);
    help.epilogue(
      `${EXIT_CODES}\n\nMore about a command: holdfast <command> --help\nTopics: holdfast help ${[...TOPICS.keys()].join(', ')}`,
    );
  } else {
    const { names, operand, applicationArgs } = spec;
    const behind = applicationArgs ? ' [-- application args]' : '';
    const also = spec.aliases.length === 0 ? '' : `\nAlso: ${spec.aliases.join(', ')}`;
    const operandHelp = operand === undefined ? '' : `\n\n  ${operand.name}  ${operand.describe}`;
    help.usage(
      `Usage: $0 ${spec.name}${namesText(names)}${operandText(operand)} [options]${behind}\n\n${spec.describe}${also}${operandHelp}`,
    );
    addFlags(help, [...(await spec.flags()), ...GLOBAL_FLAGS]);
    for (const [command, meaning] of spec.examples) help.example(command, meaning);
    help.epilogue(spec.note === undefined ? EXIT_CODES : `${EXIT_CODES}\n\n${spec.note}`);
  }
  const shown = await help.getHelp();
  return text === undefined ? shown : `${shown}\n\n${text}`;
}

function namesText(names: CommandSpec['names']): string {
  return names === undefined ? '' : names === 'one' ? ' [name]' : ' [names, all]';
}

function operandText(operand: CommandSpec['operand']): string {
  if (operand === undefined) return '';
  return operand.required ? ` <${operand.name}>` : ` [${operand.name}]`;
}

function addFlags(help: ReturnType<typeof Yargs>, flags: readonly FlagSpec[]): void {
  for (const { flag, alias, describe, kind, choices, defaultText } of flags) {
    help.option(flag, {
      describe,
      ...(kind === 'switch' ? { type: 'boolean' } : { type: 'string' }),
      ...(kind === 'list' && { array: true }),
      ...(alias !== undefined && { alias }),
      ...(choices && { choices }),
      ...(defaultText !== undefined && { defaultDescription: defaultText }),
    });
  }
}
