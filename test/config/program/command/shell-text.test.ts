// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the shell that reads these.
import t from 'tap';
import { joinWords } from '../../../../src/config/program/command/launchers.js';
import { preparationOf } from '../../../../src/config/program/command/preparation.js';
import { expandVariables, readShellText } from '../../../../src/config/program/command/shell-text.js';

const ENV = { PORT: '3000', FLAGS: '  -a  "b c" ', EMPTY: '', HOME: '/home/me' };

function commandsOf(text: string) {
  const read = readShellText(text, ENV);
  if ('reason' in read) throw new Error(`${text}: ${read.reason}`);
  return read.commands;
}

t.test('words, quotes, variables and comments are read as a shell reads them', async (t) => {
  const table: [string, string[]][] = [
    ['node server.js', ['node', 'server.js']],
    ['  node   --a="b c"\t\'d e\'f ', ['node', '--a=b c', 'd ef']],
    ['node "" \'\'', ['node', '', '']],
    ['a\\ b \\"c "d\\"e\\$PORT\\x"', ['a b', '"c', 'd"e$PORT\\x']],
    ['node \\\n  app.js', ['node', 'app.js']],
    ['node -p $PORT "${PORT}" \'$PORT\' x${PORT}y', ['node', '-p', '3000', '3000', '$PORT', 'x3000y']],
    ['node ${NONE:-80} ${EMPTY:-81} ${EMPTY-82}$ ${PORT-83}', ['node', '80', '81', '$', '3000']],
    ['node $NONE "$NONE" $EMPTY.', ['node', '', '.']],
    ['node x$FLAGS', ['node', 'x', '-a', '"b', 'c"']],
    ['node ~/app.js a~ ~x', ['node', '/home/me/app.js', 'a~', '~x']],
    ['node app.js # it serves', ['node', 'app.js']],
    ['node app.js#1 --x=#', ['node', 'app.js#1', '--x=#']],
  ];
  for (const [text, words] of table) {
    t.strictSame(
      commandsOf(text).map((command) => command.words),
      [words],
      text,
    );
  }
});

t.test('variables before the command are its own; the value of one is a single word', async (t) => {
  const [command] = commandsOf('NODE_ENV=production A="b c" B=$FLAGS C= node D=1');
  t.strictSame(command?.assignments, { NODE_ENV: 'production', A: 'b c', B: ENV.FLAGS, C: '' });
  t.strictSame(command?.words, ['node', 'D=1']);
});

t.test('several commands are told apart, with what joins them', async (t) => {
  const read = commandsOf('npm run build && node a.js | pino-pretty || echo "a && b"; x & y\nz');
  t.strictSame(
    read.map(({ text, joint }) => [text, joint]),
    [
      ['npm run build', '&&'],
      ['node a.js', '|'],
      ['pino-pretty', '||'],
      ['echo "a && b"', ';'],
      ['x', '&'],
      ['y', ';'],
      ['z', ''],
    ],
  );
  t.equal(commandsOf('node a.js;\n').length, 1, 'an end is no command');
});

t.test('what needs a real shell is refused with the reason', async (t) => {
  for (const [text, reason] of [
    ['node $(cat file)', /result of another command/],
    ['node `cat file`', /result of another command/],
    ['node "`cat file`"', /result of another command/],
    ['node a.js > log', /redirection \(>\)/],
    ['node a.js 2>&1', /redirection/],
    ['node a.js < in', /redirection \(<\)/],
    ['(cd x; node a.js)', /brackets/],
    ['node *.js', /pattern of file names \(\*\)/],
    ['node ${PORT:?none}', /\$\{PORT:\?none\} needs a shell/],
    ['node ${PORT', /needs a shell/],
    ['node $1', /\$1 needs a shell/],
    ['node "$@"', /\$@ needs a shell/],
    ['node "a', /quote is not closed/],
    ["node 'a", /quote is not closed/],
    ['node \\', /backslash/],
    ['if true; then node a.js; fi', /"if" needs a shell/],
    ['  # nothing', /no command/],
    ['', /no command/],
  ] as const) {
    t.match(readShellText(text, ENV), { reason }, text);
  }
});

t.test('a text that words are joined to is read as the same words', async (t) => {
  for (const words of [
    ['npm', 'start'],
    ['node', 'a b.js', '', "it's", '$PORT', '#x', '--a=1', '&&', 'é', '~'],
  ]) {
    t.strictSame(commandsOf(joinWords(words))[0]?.words, words);
  }
});

t.test('variables in the values of a file are put in', async (t) => {
  t.equal(expandVariables('http://x:$PORT/${NONE:-a}?\\$PORT', ENV), 'http://x:3000/a?$PORT');
  t.equal(expandVariables('"quotes" \'stay\' #', ENV), '"quotes" \'stay\' #');
  t.equal(expandVariables('$(date)', ENV), null);
});

t.test('only cd and export prepare for the command behind them', async (t) => {
  const of = (text: string) => preparationOf(commandsOf(text)[0]!);
  t.strictSame(of('cd server && x'), { cwd: 'server' });
  t.strictSame(of('export A=1 B="c d" && x'), { env: { A: '1', B: 'c d' } });
  for (const text of [
    'cd && x',
    'cd - && x',
    'cd a b && x',
    'export A && x',
    'tsc && x',
    'A=1 cd x && y',
    'cd a | x',
  ]) {
    t.equal(of(text), null, text);
  }
});
