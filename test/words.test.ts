/**
 * The words of this project: the list in docs/design.md has those that are its own, everything else is called what Node, Unix and
 * the RFCs call it. And the form of its errors.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'rolldown/utils';
import t from 'tap';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** Words that make a reader guess, and what stands for them. */
const FORBIDDEN: ReadonlyMap<string, string> = new Map([
  ['bury', 'reap'],
  ['buries', 'reaps'],
  ['buried', 'reaped'],
  ['burial', 'reap'],
  ['unburied', 'unreaped'],
  ['undertaker', 'reaper'],
  ['graveyard', 'what it holds'],
  ['funeral', 'shutdown'],
  ['farewell', 'shutdown, drain'],
  ['goodbye', 'shutdown, drain'],
  ['nurse', 'liveness check'],
  ['patients', 'workers that are checked'],
  ['vitals', 'liveness checks'],
  ['unwell', 'unhealthy'],
  ['heir', 'recipient'],
  ['heirs', 'recipients'],
  ['giver', 'sender'],
  ['taker', 'receiver'],
  ['elder', 'older, predecessor'],
  ['elders', 'those that serve'],
  ['kin', 'siblings'],
  ['lookout', 'feed, watcher'],
  ['sighting', 'what was found'],
  ['sightings', 'what was found'],
  ['whereabouts', 'location'],
  ['whence', 'origin, source'],
  ['happening', 'event'],
  ['happenings', 'events'],
  ['burden', 'load'],
  ['wish', 'request'],
]);

/** Turns of phrase of messages, and what is plain. */
const RIDDLES: readonly (readonly [RegExp, string])[] = [
  [/\b(?:it|that|this) is none\b/, 'is not a …'],
  [/\b(?:it|that|this) is no (?!longer|more)\w/, 'is not a …'],
  [/\bcannot be had\b/, 'is not available'],
  [/\bthe (?:supervisor|version|generation) before(?= (?:has|had|is|was|goes|went)\b|$)/, 'the previous …'],
];

const FOLDERS = ['src', 'test', 'scripts', 'bench', 'docs', 'config', 'examples', '.github'];
const TEXT = /\.(?:[cm]?[jt]s|md|ya?ml|html|css)$/;
const OTHERS = /node_modules|\.compiled-|^test\/words\.test\.ts$/;

const files = [
  ...FOLDERS.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  ),
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
].filter((file) => TEXT.test(file) && !OTHERS.test(file));

const sources = files
  .filter((file) => file.startsWith('src/') && file.endsWith('.ts'))
  .map((file) => {
    const text = read(file);
    return { file, text, program: parseSync(file, text).program };
  });

/** In a message that workers of older versions read. */
const OLD_NAME = /\bheirs\??: (?:boolean|recipients|isTruthOrNothing|(?:true|false))\b/;

/** `isLastTaker_of` is `is`, `last`, `taker` and `of`. */
function wordsOf(text: string): string[] {
  const apart = text.replace(/([a-z\d])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2');
  return apart.toLowerCase().split(/[^a-z]+/);
}

/** As parts of other words, too: quicker than to take each text apart. */
const SUSPECT = new RegExp([...FORBIDDEN.keys()].join('|'), 'i');

function forbiddenIn(text: string): string[] {
  if (!SUSPECT.test(text)) return [];
  return [...new Set(wordsOf(text))].flatMap((word) => (FORBIDDEN.has(word) ? `${word}: ${FORBIDDEN.get(word)}` : []));
}

/** Words in the first column of the list of docs/design.md. */
const glossary = [
  ...(read('docs/design.md').split('## Words')[1]?.split('\n## ')[0] ?? '').matchAll(/^\| ([^|]+?) \|/gm),
]
  .map(([, word = '']) => word)
  .filter((word) => !/^(?:word|-+)$/.test(word));

t.test('names, comments, messages and documentation have none of the words that make one guess', async (t) => {
  t.ok(files.length > 500, `${files.length} files`);
  const found = files.flatMap((file) => {
    const name = forbiddenIn(file).map((word) => `${file} is called ${word}`);
    const text = read(file);
    if (!SUSPECT.test(text)) return name;
    return [
      ...name,
      ...text
        .split('\n')
        .flatMap((line, i) => forbiddenIn(line.replace(OLD_NAME, '')).map((word) => `${file}:${i + 1} ${word}`)),
    ];
  });
  t.same(found, []);
  t.same(forbiddenIn('isLastTaker of_heirs'), ['taker: receiver', 'heirs: recipients'], 'they are found in names');
});

t.test('the words of the project are explained once, and used', async (t) => {
  t.ok(glossary.length > 30, `${glossary.length} words`);
  t.equal(new Set(glossary).size, glossary.length, 'none is explained twice');
  const used = sources.map(({ text }) => text.toLowerCase().replace(/[^a-z]+/g, '')).join(' ');
  t.same(
    glossary.filter((word) => !used.includes(word.toLowerCase().replace(/[^a-z]+/g, ''))),
    [],
    'each is a word of the code',
  );
});

t.test('messages are plain', async (t) => {
  const found: string[] = [];
  for (const { file, program } of sources) {
    const look = (text: string) => {
      for (const [riddle, plain] of RIDDLES) if (riddle.test(text)) found.push(`${file}: "${text}": ${plain}`);
    };
    new Visitor({
      Literal({ value }) {
        if (typeof value === 'string') look(value);
      },
      TemplateElement({ value }) {
        look(value.cooked ?? value.raw);
      },
    }).visit(program);
  }
  t.same(found, []);
});

/** Its message or its hint is made elsewhere: by whom it calls, or by another process. */
const MADE_ELSEWHERE: Readonly<Record<string, RegExp>> = {
  'src/cli/prepare/prepared-config.ts': /stderr\.replace/,
  'src/supervisor/insight/describe.ts': /there is no worker/,
};

t.test('errors say what cannot be done and what to do next', async (t) => {
  let count = 0;
  const wrong: string[] = [];
  for (const { file, text, program } of sources) {
    const textOf = (node: { start: number; end: number } | undefined) => (node ? text.slice(node.start, node.end) : '');
    new Visitor({
      NewExpression(node) {
        if (textOf(node.callee) !== 'HoldfastError') return;
        count += 1;
        const made = textOf(node).replace(/\s+/g, ' ');
        const [, message, options] = node.arguments;
        const isGiven = message?.type === 'Literal' || message?.type === 'TemplateLiteral';
        const isPlain = (message !== undefined && !isGiven) || /^['"`]cannot /.test(textOf(message));
        const hasHint = /\bhint\b/.test(textOf(options));
        if (!(isPlain && hasHint) && !MADE_ELSEWHERE[file]?.test(made)) wrong.push(`${file}: ${made.slice(0, 120)}`);
      },
    }).visit(program);
  }
  t.ok(count > 60, `${count} errors were looked at`);
  t.same(wrong, []);
});

t.test('what CONTRIBUTING and the design name is there', async (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

  for (const page of ['CONTRIBUTING.md', 'docs/design.md', 'docs/stability.md']) {
    const text = read(page);
    for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g))
      t.ok(scripts[script], `${page}: npm run ${script}`);
    for (const [, file = ''] of text.matchAll(/\b((?:src|test|bench|scripts|config|examples)\/[\w/.-]*\w)/g)) {
      const isThere = existsSync(path.join(root, file)) || files.some((one) => one.startsWith(`${file}.`));
      t.ok(isThere, `${page}: ${file}`);
    }
    for (const [, file = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g))
      t.doesNotThrow(() => read(path.join(path.dirname(page), file)), `${page}: ${file}`);
  }
  for (const [, folders = '', , reading = ''] of read('CONTRIBUTING.md').matchAll(
    /^\| (`src[^|]+) \|([^|]+)\| ([^|]+) \|$/gm,
  )) {
    const first = [...folders.matchAll(/`([^`]+)`/g)].map(([, folder = '']) => folder);
    for (const [, file = ''] of reading.matchAll(/`([^`]+\.ts)`/g)) {
      const isThere = [...first, path.dirname(first[0] ?? '')].some((folder) =>
        existsSync(path.join(root, folder, file)),
      );
      t.ok(isThere, `${folders}: read ${file} first`);
    }
  }
});
