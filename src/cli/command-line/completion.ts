/**
 * Scripts by which a shell completes commands, flags and names. What is in the catalog is written into the script, so that
 * nothing is started for it; the names of running supervisors are asked for when one is due. Pure.
 */
import { type CommandSpec, type FlagSpec, GLOBAL_FLAGS, type SHELLS } from './catalog.js';

export type Shell = (typeof SHELLS)[number];

export interface Completed {
  readonly spec: CommandSpec;
  readonly flags: readonly FlagSpec[];
}

export function completionScript(shell: Shell, commands: readonly Completed[], topics: readonly string[]): string {
  return shell === 'bash'
    ? bashScript(commands, topics)
    : shell === 'zsh'
      ? zshScript(commands, topics)
      : fishScript(commands, topics);
}

const wordsOf = ({ name, aliases }: CommandSpec) => [name, ...aliases];
const NAMES = 'holdfast completion names 2>/dev/null';
/** Commands whose word is a file. */
const FILES: ReadonlySet<string> = new Set(['start', 'check', 'init', 'unit']);
const PATHS: ReadonlySet<string> = new Set(['output', 'log-file', 'env-file', 'cwd', 'writable', 'node']);

function flagWords(flags: readonly FlagSpec[]): string[] {
  return flags.flatMap(({ flag, alias }) => [`--${flag}`, ...(alias === undefined ? [] : [`-${alias}`])]);
}

const choicesOf = ({ operand }: CommandSpec) => `words='${operand?.choices?.join(' ') ?? ''}'`;

function takingValue(flags: readonly FlagSpec[]): FlagSpec[] {
  return flags.filter(({ kind }) => kind !== 'switch');
}

function bashScript(commands: readonly Completed[], topics: readonly string[]): string {
  const all = commands.flatMap(({ spec }) => wordsOf(spec));
  const choices = new Map<string, string>();
  for (const { flags } of commands) {
    for (const { flag, choices: values } of flags) if (values) choices.set(flag, values.join(' '));
  }
  const free = new Set(commands.flatMap(({ flags }) => takingValue(flags).flatMap((flag) => flagWords([flag]))));
  const paths = [...PATHS].map((flag) => `--${flag}`);
  for (const word of ['--name', '-n', ...paths, ...[...choices.keys()].map((flag) => `--${flag}`)]) free.delete(word);
  const cases = commands.map(({ spec, flags }) => {
    const behind = FILES.has(spec.name) ? 'files=1' : spec.names === undefined ? choicesOf(spec) : 'names=1';
    return `    ${wordsOf(spec).join('|')}) flags='${flagWords(flags).join(' ')}'; ${behind} ;;`;
  });
  return `# holdfast completion bash; to have it in each shell:
#   holdfast completion bash > ~/.local/share/bash-completion/completions/holdfast
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} flags= names= files= words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${[...all, 'help', '--help', '--version'].join(' ')}' -- "$word"))
    return
  fi
  case "$before" in
    --name|-n) COMPREPLY=($(compgen -W "$(${NAMES})" -- "$word")); return ;;
    ${paths.join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;
${[...choices].map(([flag, values]) => `    --${flag}) COMPREPLY=($(compgen -W '${values}' -- "$word")); return ;;`).join('\n')}
    ${[...free].join('|')}) return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    help) COMPREPLY=($(compgen -W '${[...all, ...topics].join(' ')}' -- "$word")); return ;;
    *) return ;;
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags --help" -- "$word")) ;;
    *)
      if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); fi
      if [ -n "$names" ]; then COMPREPLY=($(compgen -W "$(${NAMES})" -- "$word")); fi
      if [ -n "$files" ]; then COMPREPLY=($(compgen -f -- "$word")); fi ;;
  esac
}
complete -o filenames -F _holdfast holdfast
`;
}

/** In single quotes, for any of the shells but fish. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
/** Within a description of zsh. */
const zshText = (text: string) => text.replaceAll(/[[\]:\\]/g, '\\$&');

function zshScript(commands: readonly Completed[], topics: readonly string[]): string {
  const described = commands.flatMap(({ spec }) =>
    wordsOf(spec).map((word) => `    ${quoted(`${word}:${spec.describe.replaceAll(':', '\\:')}`)}`),
  );
  const cases = commands.map(({ spec, flags }) => {
    const lines = [...flags, ...GLOBAL_FLAGS].flatMap(({ flag, alias, describe, kind, choices }) => {
      const action = choices
        ? `(${choices.join(' ')})`
        : flag === 'name'
          ? '_holdfast_names'
          : PATHS.has(flag)
            ? '_files'
            : ' ';
      const value = kind === 'switch' ? '' : `:${flag}:${action}`;
      const star = kind === 'list' ? '*' : '';
      return [`--${flag}`, ...(alias === undefined ? [] : [`-${alias}`])].map(
        (word) => `        ${quoted(`${star}${word}[${zshText(describe)}]${value}`)}`,
      );
    });
    const { choices = [] } = spec.operand ?? {};
    const words = choices.length === 0 ? [] : [`1:word:(${choices.join(' ')})`];
    const behind = FILES.has(spec.name) ? ['*:file:_files'] : spec.names ? ['*:name:_holdfast_names'] : words;
    const rest = behind.map((word) => `        ${quoted(word)}`);
    return `    ${wordsOf(spec).join('|')})\n      _arguments \\\n${[...lines, ...rest].join(' \\\n')}\n      ;;`;
  });
  return `#compdef holdfast
# holdfast completion zsh; to have it in each shell: write it to a file _holdfast in a folder of $fpath
_holdfast_names() {
  local -a names
  names=(\${(f)"$(${NAMES})"})
  (( \${#names} )) && compadd -- $names
}
_holdfast() {
  local -a commands
  commands=(
${described.join('\n')}
    'help:Show help about a command or a topic'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    [[ $PREFIX == -* ]] && compadd -- --help --version
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${cases.join('\n')}
    help) compadd -- ${[...commands.map(({ spec }) => spec.name), ...topics].join(' ')} ;;
  esac
}
if [ "$funcstack[1]" = _holdfast ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi
`;
}

const fishText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fishScript(commands: readonly Completed[], topics: readonly string[]): string {
  const lines = commands.flatMap(({ spec, flags }) => {
    const seen = `'__fish_seen_subcommand_from ${wordsOf(spec).join(' ')}'`;
    const behind = FILES.has(spec.name)
      ? [`complete -c holdfast -n ${seen} -F`]
      : spec.names === undefined
        ? (spec.operand?.choices ?? []).map((word) => `complete -c holdfast -n ${seen} -a ${word}`)
        : [`complete -c holdfast -n ${seen} -a '(${NAMES})'`];
    return [
      ...wordsOf(spec).map(
        (word) => `complete -c holdfast -n __fish_use_subcommand -a ${word} -d ${fishText(spec.describe)}`,
      ),
      ...flags.map(({ flag, alias, describe, kind, choices }) => {
        const value =
          kind === 'switch' ? '' : flag === 'name' ? ` -x -a '(${NAMES})'` : PATHS.has(flag) ? ' -r -F' : ' -x';
        const given = choices ? ` -x -a '${choices.join(' ')}'` : value;
        const short = alias === undefined ? '' : ` -s ${alias}`;
        return `complete -c holdfast -n ${seen} -l ${flag}${short}${given} -d ${fishText(describe)}`;
      }),
      ...behind,
    ];
  });
  const known = [...commands.map(({ spec }) => spec.name), ...topics].join(' ');
  return `# holdfast completion fish; to have it in each shell:
#   holdfast completion fish > ~/.config/fish/completions/holdfast.fish
complete -c holdfast -f
${GLOBAL_FLAGS.map(({ flag, describe }) => `complete -c holdfast -l ${flag} -d ${fishText(describe)}`).join('\n')}
${lines.join('\n')}
complete -c holdfast -n __fish_use_subcommand -a help -d 'Show help about a command or a topic'
complete -c holdfast -n '__fish_seen_subcommand_from help' -a '${known}'
`;
}
