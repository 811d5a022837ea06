/** What the pages tell people to type can be typed: commands and flags exist, scripts exist, files can be read. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseCommandLine } from '../../src/cli/command-line/parse.js';
import { OPTIONS } from '../../src/config/options.js';
import { blocksOf, PAGES, proseOf, root } from './pages.js';

const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };
const pages = PAGES.filter((page) => page !== 'CHANGELOG.md');

/** The words of one command: quotes are read, and what follows a pipe, a redirection or a comment is not its own. */
function wordsOf(line: string): string[] {
  const [own = ''] = line.split(/ (?:#|&&|\|\|?|>) |;|\)$/);
  return [...own.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}

/** Every command of holdfast in the blocks for a shell. */
function commandsOf(page: string): string[][] {
  const lines = blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n'));
  return lines.flatMap((line) => {
    const found = /(?:^|[ (;])holdfast ((?!\||>).+)$/.exec(line);
    const isTyped = /^(?:sudo |npx |source <\(|HOLDFAST_\w+=\S+ )*holdfast /.test(line);
    return isTyped && found?.[1] !== undefined ? [wordsOf(found[1])] : [];
  });
}

t.test('commands in the pages are commands that the command line understands', async (t) => {
  let count = 0;
  for (const page of pages) {
    for (const words of commandsOf(page)) {
      count += 1;
      await t.resolves(parseCommandLine(words), `${page}: holdfast ${words.join(' ')}`);
    }
  }
  t.ok(count > 100, `${count} commands`);
});

t.test('a command or a flag that does not exist is found', async (t) => {
  await t.rejects(parseCommandLine(wordsOf('relaod shop')));
  await t.rejects(parseCommandLine(wordsOf('reload --canry 5%')));
});

t.test('flags in the text are flags of some command', async (t) => {
  const { COMMANDS, GLOBAL_FLAGS } = await import('../../src/cli/command-line/catalog.js');
  const flags = (await Promise.all(COMMANDS.map((command) => command.flags()))).flat();
  const known = new Set([...flags, ...GLOBAL_FLAGS].map(({ flag }) => flag));
  for (const page of pages) {
    // "holdfast COMMAND --flag" in the middle of a sentence.
    const named = [...proseOf(page).matchAll(/`holdfast [a-z][^`]*`/g)].flatMap(([text]) =>
      [...(text.split(' -- ')[0] ?? '').matchAll(/ --([a-z][a-z0-9-]*)/g)].map(([, flag = '']) => flag),
    );
    t.same(
      named.filter((flag) => !known.has(flag)),
      [],
      page,
    );
  }
});

t.test('scripts of npm in the pages exist', async (t) => {
  for (const page of pages) {
    const named = [...blocksOf(page).map(({ text }) => text), proseOf(page)].flatMap((text) =>
      [
        ...text.matchAll(
          /\bnpm run ((?:bench|test|example|docs|schema|lint|types|build|coverage|release)(?:[\w:]*\w)?)/g,
        ),
      ].map(([, script = '']) => script),
    );
    t.same(
      named.filter((script) => scripts[script] === undefined && !/^build$/.test(script)),
      [],
      page,
    );
  }
});

t.test('options in the examples of configuration files exist', async (t) => {
  const { parse } = await import('yaml');
  const known = new Set([...OPTIONS.map(({ name }) => name), 'args', 'apps']);
  for (const page of pages.filter((page) => page.startsWith('docs/'))) {
    for (const { language, text } of blocksOf(page)) {
      if (language !== 'yaml' || text.startsWith('# prometheus.yml')) continue;
      t.same(
        Object.keys(parse(text)).filter((name) => !known.has(name)),
        [],
        page,
      );
    }
  }
});
