import fc from 'fast-check';
import t from 'tap';
import { commandLine, wholeLine, word } from '../../src/systemd/unit-text.js';

/** A small model of how systemd reads words: quotes and escapes first, then specifiers; systemd.syntax(7). */
function read(text: string): string[] {
  const words: string[] = [];
  let current: string | null = null;
  let quote: string | null = null;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] as string;
    if (character === '\\') {
      const [all = '', hex] = /^\\x([0-9a-f]{2})/.exec(text.slice(i)) ?? [];
      current = (current ?? '') + (hex === undefined ? text[i + 1] : String.fromCharCode(Number.parseInt(hex, 16)));
      i += hex === undefined ? 1 : all.length - 1;
    } else if (quote !== null && character === quote) {
      quote = null;
    } else if (quote === null && (character === '"' || character === "'")) {
      quote = character;
      current ??= '';
    } else if (quote === null && character === ' ') {
      if (current !== null) words.push(current);
      current = null;
    } else {
      current = (current ?? '') + character;
    }
  }
  if (quote !== null) throw new Error(`a quote is not closed in ${text}`);
  if (current !== null) words.push(current);
  return words.map(specifiers);
}

function specifiers(text: string): string {
  return text.replace(/%(.?)/gs, (_, letter: string) => {
    if (letter !== '%') throw new Error(`%${letter} is a specifier`);
    return '%';
  });
}

/** What a process gets: `$NAME` and `${NAME}` would be looked up, `$$` is a dollar; systemd.service(5). */
function variables(text: string): string {
  return text.replace(/\$(.?)/gs, (_, next: string) => {
    if (next !== '$') throw new Error(`$${next} may be a variable`);
    return '$';
  });
}

const nasty = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'ab /\\"\'%$;{}\t\n\u0001\u007f#=é') }),
  fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
);

t.test('what is written is what systemd reads', async (t) => {
  fc.assert(
    fc.property(fc.array(nasty), (args) => {
      const [program, ...rest] = read(commandLine(['/usr/bin/node', ...args]));
      t.equal(program, '/usr/bin/node');
      t.same(rest.map(variables), args);
    }),
  );
  fc.assert(fc.property(fc.array(nasty), (words) => t.same(read(words.map((text) => word(text)).join(' ')), words)));
});

t.test('a line never ends before its end', async (t) => {
  fc.assert(
    fc.property(fc.array(nasty), (args) => {
      const line = commandLine(args);
      t.notMatch(line, /[\n\r]|\\$|^\s|\s$/);
    }),
  );
});

t.test('a dollar in the path of a program is one, as systemd looks for no variables there', async (t) => {
  t.equal(commandLine(['/opt/$x/node', '$x']), '"/opt/$x/node" "$$x"');
});

t.test('what needs no quotes has none, and specifiers stay', async (t) => {
  t.equal(
    commandLine(['/usr/bin/node', '--name=shop', { raw: '/etc/holdfast/%i.yaml' }]),
    '/usr/bin/node --name=shop /etc/holdfast/%i.yaml',
  );
  t.equal(commandLine(['/bin/x', '', ';']), '/bin/x "" ";"');
});

t.test('a path that is a whole line keeps its quotes and spaces', async (t) => {
  t.equal(wholeLine('/srv/my "shop" 5%\\x'), '/srv/my "shop" 5%%\\x');
  t.equal(wholeLine({ raw: '/srv/%i' }), '/srv/%i');
});

t.test('what no unit can say is refused', async (t) => {
  for (const path of ['/srv/a\nb', '/srv/a ', '/srv/a\\']) {
    t.throws(() => wholeLine(path), { code: 'UNIT_UNWRITABLE', exitCode: 2 }, JSON.stringify(path));
  }
  t.throws(() => word('a\0b'), { code: 'UNIT_UNWRITABLE' });
});
