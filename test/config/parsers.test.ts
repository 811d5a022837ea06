import fc from 'fast-check';
import t from 'tap';
import { splitWords } from '../../src/config/layers/split-words.js';
import { defaultName } from '../../src/config/program/default-name.js';
import { formatDuration, parseDuration } from '../../src/config/schema/duration.js';
import { parseSize } from '../../src/config/schema/size.js';
import { JsonFault, parseJson } from '../../src/config/text/json-text.js';
import { nearest } from '../../src/nearest.js';

t.test('a duration is a whole number with a unit, or 0', async (t) => {
  const table: [string, number | null][] = [
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['30', null],
    ['1.5s', null],
    ['-1s', null],
    ['1 s', null],
    ['1d', null],
    ['1h30m', null],
    ['s', null],
    ['', null],
    ['1s\n', null],
  ];
  for (const [text, durationMs] of table) t.equal(parseDuration(text), durationMs, JSON.stringify(text));
});

t.test('a duration is shown in the largest unit that is exact', async (t) => {
  const table: [number, string][] = [
    [0, '0'],
    [1, '1ms'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [3_600_000, '1h'],
  ];
  for (const [durationMs, text] of table) t.equal(formatDuration(durationMs), text);
  fc.assert(fc.property(fc.nat(86_400_000), (ms) => parseDuration(formatDuration(ms)) === ms));
});

t.test('a size is a whole number with a unit', async (t) => {
  const table: [string, number | null][] = [
    ['1K', 1024],
    ['300M', 300 * 1024 * 1024],
    ['1G', 1024 ** 3],
    ['300', null],
    ['1.5G', null],
    ['1g', null],
    ['1GB', null],
    ['', null],
  ];
  for (const [text, bytes] of table) t.equal(parseSize(text), bytes, JSON.stringify(text));
});

t.test('words are split as a shell splits them', async (t) => {
  const table: [string, string[] | null][] = [
    ['', []],
    ['  \t ', []],
    ['--a --b=1', ['--a', '--b=1']],
    ['  a  b ', ['a', 'b']],
    ['--title="two words" x', ['--title=two words', 'x']],
    ['\'a "b" \\\' c', ['a "b" \\', 'c']],
    ['"a \\"b\\" \\n"', ['a "b" \\n']],
    ['a\\ b \\"', ['a b', '"']],
    ['"" \'\'', ['', '']],
    ['$HOME *', ['$HOME', '*']],
    ['"open', null],
    ["it's", null],
    ['end\\', null],
  ];
  for (const [text, words] of table) t.strictSame(splitWords(text), words, JSON.stringify(text));
});

t.test('words that were quoted come back as they were', async (t) => {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const comesBack = fc.property(fc.array(fc.string()), (words) => {
    const split = splitWords(words.map(quote).join(' '));
    return JSON.stringify(split) === JSON.stringify(words);
  });
  t.doesNotThrow(() => fc.assert(comesBack));
});

t.test('the nearest word is the one that was probably meant', async (t) => {
  const words = ['name', 'instances', 'killTimeout', 'drainTimeout', 'env', 'envFile'];
  const table: [string, string | undefined][] = [
    ['instnces', 'instances'],
    ['isntances', 'instances'],
    ['Instances', 'instances'],
    ['kill_timeout', 'killTimeout'],
    ['nmae', 'name'],
    ['envv', 'env'],
    ['x', undefined],
    ['watch', undefined],
    ['', undefined],
    ['instances'.repeat(20), undefined],
  ];
  for (const [word, meant] of table) t.equal(nearest(word, words), meant, word);
  t.equal(nearest('app.js', ['apps.js', 'server.js']), 'apps.js');
  t.equal(nearest('a', []), undefined);
  t.equal(nearest('a', ['b']), undefined);
});

t.test('the default name says which application it is', async (t) => {
  const table: [string, string][] = [
    ['/srv/shop/worker.js', 'worker'],
    ['/srv/shop/server.js', 'shop'],
    ['/srv/shop/current/dist/server.js', 'shop'],
    ['/home/me/hello/index.mjs', 'hello'],
    ['/app/server.js', 'server'],
    ['/usr/src/app/index.js', 'index'],
    ['/opt/app/main.cjs', 'main'],
    ['/srv/My Shop/app.js', 'My-Shop'],
    ['/srv/@acme/shop-api.v2.js', 'shop-api.v2'],
    ['/srv/Ladenöffnung/app.js', 'Laden-ffnung'],
    ['/日本.js', 'app'],
    ['/srv/shop/all.js', 'shop'],
    ['/srv/all/all.js', 'app'],
    [`/srv/${'x'.repeat(80)}.js`, 'x'.repeat(64)],
  ];
  for (const [script, name] of table) t.equal(defaultName(script), name, script);
});

t.test('JSON is refused at the place where it stops being JSON', async (t) => {
  const table: [string, number, number, RegExp][] = [
    ['{"a": x}', 1, 7, /^a value is expected here/],
    ['{"a": 1,}', 1, 9, /a name in double quotes is expected/],
    ['{"a": 1\n "b": 2}', 2, 2, /a comma or "}"/],
    ['[1 2]', 1, 4, /a comma or "]"/],
    ['[1,]', 1, 4, /a value/],
    ['{a: 1}', 1, 2, /a name in double quotes or "}"/],
    ['{"a" 1}', 1, 6, /a colon/],
    ['{"a": 1', 1, 8, /the text ends where a comma or "}"/],
    ['{} {}', 1, 4, /the end of the text/],
    ['{\n  // why\n}', 2, 3, /a name/],
    ['{"a": "two\nlines"}', 1, 7, /a value/],
    ['[01]', 1, 3, /a comma/],
    [']', 1, 1, /a value/],
  ];
  for (const [text, line, column, message] of table) {
    t.throws(() => parseJson(text), { line, column, message }, text);
  }
});

t.test('JSON is refused exactly where JSON.parse refuses it, and the text is never shown', async (t) => {
  const mutated = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', '"', ',', ':', '}', ']', '{', '0', '-', '\\', '\n', 'é'),
  );
  fc.assert(
    fc.property(mutated, ([json, at, insert]) => {
      const cut = at % (json.length + 1);
      const text = json.slice(0, cut) + insert + json.slice(cut + 1);
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      try {
        parseJson(text);
        return isJson;
      } catch (error) {
        return !isJson && error instanceof JsonFault;
      }
    }),
    { numRuns: 2000 },
  );
  t.notMatch(catchMessage('{"env": {"KEY": s3cret}}'), 's3cret');
});

function catchMessage(text: string): string {
  try {
    parseJson(text);
  } catch (error) {
    return String(error);
  }
  throw new Error('is JSON');
}
