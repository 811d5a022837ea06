// docs/reference/commands.md: every command with its flags, from the catalogue that the parser and the help read.
import { COMMANDS } from '../../dist/cli/command-line/catalog.js';
import { EXIT_CODES } from '../../dist/cli/command-line/topics.js';
import { code, codes, page, table } from './markdown.js';

export async function commandsPage() {
  return page('Commands', 'src/cli/command-line/catalog.ts', [
    '`holdfast COMMAND --help` shows the same in a terminal. [Using the command line](../commands.md) is the guide.',
    table(
      ['command', 'what it does'],
      COMMANDS.map(({ name, describe }) => [`[\`${name}\`](#holdfast-${name})`, describe]),
    ),
    `## Exit codes\n\n${table(
      ['code', 'meaning'],
      EXIT_CODES.map(([number, meaning]) => [number, meaning]),
    )}\n\nOf several supervisors (\`reload all\`) it is 1 if one of them has failed.`,
    ...(await Promise.all(COMMANDS.map(section))),
    'Next: [signals](signals.md)',
  ]);
}

async function section({ name, aliases, names, operand, applicationArgs, describe, flags, examples, note }) {
  const own = (await flags()).filter(({ option }) => option === undefined);
  const takesOptions = (await flags()).some(({ option }) => option !== undefined);
  const operandText = operand === undefined ? '' : operand.required ? ` <${operand.name}>` : ` [${operand.name}]`;
  const namesText = names === undefined ? '' : names === 'one' ? ' [name]' : ' [names, all]';
  const usage = `holdfast ${name}${namesText}${operandText} [options]${applicationArgs ? ' [-- application args]' : ''}`;
  const parts = [
    `## holdfast ${name}`,
    `${describe}.${aliases.length === 0 ? '' : ` Other names: ${codes(aliases)}.`}`,
    `\`\`\`text\n${usage}\n\`\`\``,
  ];
  if (operand !== undefined) parts.push(`\`${operand.name}\`: ${operand.describe}.`);
  if (own.length > 0) parts.push(table(['flag', 'default', 'what it does'], own.map(flagRow)));
  if (takesOptions) parts.push('It also takes [every option of the configuration](options.md) as a flag.');
  const lines = examples.map(([command, meaning]) => [command.replaceAll('$0', 'holdfast'), meaning]);
  const width = Math.max(...lines.map(([command]) => command.length));
  parts.push(
    `\`\`\`sh\n${lines.map(([command, meaning]) => `${command.padEnd(width)}  # ${meaning}`).join('\n')}\n\`\`\``,
  );
  if (note !== undefined) parts.push(note);
  return parts.join('\n\n');
}

function flagRow({ flag, alias, describe, kind, choices, defaultText }) {
  const value = kind === 'switch' ? '' : ' VALUE';
  const shown = [`--${flag}${value}`, ...(alias === undefined ? [] : [`-${alias}`])];
  const may = [
    ...(kind === 'list' ? ['may be given several times'] : []),
    ...(choices === undefined ? [] : [codes(choices)]),
  ];
  return [
    codes(shown),
    defaultText === undefined ? '' : code(defaultText),
    `${describe}${may.length === 0 ? '' : ` (${may.join('; ')})`}`,
  ];
}
