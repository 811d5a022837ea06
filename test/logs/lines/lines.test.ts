import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { type Line, LineSplitter, maxLineBytes } from '../../../src/logs/lines/lines.js';
import { tidyUp } from '../../../src/supervisor/upkeep/tidy.js';

/** Takes every line as soon as it is there. */
function split(chunks: readonly Buffer[], limitBytes?: number): Line[] {
  const splitter = new LineSplitter(limitBytes);
  const lines: Line[] = [];
  const drain = () => {
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) lines.push(line);
  };
  for (const chunk of chunks) {
    splitter.push(chunk);
    drain();
  }
  splitter.end();
  drain();
  return lines;
}

function chunked(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  chunks.push(bytes.subarray(at));
  return chunks;
}

const whole = (text: string): Line => ({ text, continued: false });
const part = (text: string): Line => ({ text, continued: true });

const cases: [title: string, input: string, lines: Line[]][] = [
  ['nothing is no line', '', []],
  ['a line ends with a line feed', 'one\ntwo\n', [whole('one'), whole('two')]],
  ['a carriage return before the line feed belongs to the end of line', 'one\r\ntwo\r\n', [whole('one'), whole('two')]],
  ['a carriage return elsewhere belongs to the line', 'o\rne\r\r\n', [whole('o\rne\r')]],
  ['empty lines are lines', '\n\r\n\n', [whole(''), whole(''), whole('')]],
  ['a last line needs no end', 'one\ntwo', [whole('one'), whole('two')]],
  ['a line of the limit is not cut', '12345678\n', [whole('12345678')]],
  ['a line of the limit with a carriage return is not cut', '12345678\r\nx', [whole('12345678'), whole('x')]],
  ['a last line of the limit is not cut', '12345678', [whole('12345678')]],
  ['a longer line is cut', '123456789\nx\n', [part('12345678'), whole('9'), whole('x')]],
  ['a last longer line is cut', '123456789', [part('12345678'), whole('9')]],
  ['a line of twice the limit has two pieces', '1234567812345678\r\n', [part('12345678'), whole('12345678')]],
  ['a carriage return beyond the limit stays in its line', '12345678\rx\n', [part('12345678'), whole('\rx')]],
  ['a cut spares the characters of two bytes', '1234567é\n', [part('1234567'), whole('é')]],
  ['a cut spares the characters of three bytes', '123456€\n', [part('123456'), whole('€')]],
  ['a cut spares the characters of four bytes', '12345😀\n', [part('12345'), whole('😀')]],
];

for (const [title, input, lines] of cases) {
  t.test(title, async (t) => {
    const bytes = Buffer.from(input);
    t.same(split([bytes], 8), lines);
    t.same(split(chunked(bytes, Array(bytes.length).fill(1)), 8), lines, 'byte by byte too');
  });
}

t.test('bytes that are no UTF-8 are cut and replaced, not lost', async (t) => {
  t.same(split([Buffer.alloc(10, 0x80)], 8), [part('\ufffd'.repeat(8)), whole('\ufffd'.repeat(2))]);
});

t.test('a line may be 16 KiB long', async (t) => {
  const longest = 'x'.repeat(16 * 1024);
  t.same(split([Buffer.from(`${longest}\n${longest}y\n`)]), [whole(longest), part(longest), whole('y')]);
});

t.test('a line without an end is given out in pieces, not collected', async (t) => {
  const splitter = new LineSplitter();
  for (let megabyte = 0; megabyte < 4; megabyte += 1) {
    splitter.push(Buffer.alloc(1024 * 1024, 'x'));
    let bytes = 0;
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) bytes += line.text.length;
    t.ok(bytes > 1024 * 1024 - 2 * maxLineBytes);
  }
});

t.test('a reader that stops between two lines of a chunk loses none', async (t) => {
  const splitter = new LineSplitter();
  splitter.push(Buffer.from('one\ntwo\nth'));
  t.same(splitter.next(), whole('one'));
  splitter.push(Buffer.from('ree\n'));
  t.same(splitter.next(), whole('two'));
  t.same(splitter.next(), whole('three'));
  t.equal(splitter.next(), undefined);
});

const sizes = fc.array(fc.nat({ max: 12 }), { maxLength: 40 });
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
  fc
    .array(fc.constantFrom('a', 'é', '€', '😀', '\r', '\n', '\r\n'), { maxLength: 60 })
    .map((all) => Buffer.from(all.join(''))),
);

t.test('any chunking yields the same lines', async () => {
  fc.assert(
    fc.property(anyBytes, sizes, (bytes, sizes) => {
      const chunks = chunked(bytes, sizes);
      return JSON.stringify(split(chunks, 8)) === JSON.stringify(split([bytes], 8));
    }),
  );
});

t.test('the pieces of a line are within the limit, and put together they are the line', async () => {
  const text = fc
    .array(fc.constantFrom('a', 'é', '€', '😀', '\n', '\r\n'), { maxLength: 80 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(text, sizes, (text, sizes) => {
      const lines = split(chunked(Buffer.from(text), sizes), 8);
      const joined = lines.map((line) => line.text + (line.continued ? '' : '\n')).join('');
      const expected = text.replaceAll('\r\n', '\n');
      const ended = expected === '' || expected.endsWith('\n') ? expected : `${expected}\n`;
      return joined === ended && lines.every((line) => Buffer.byteLength(line.text) <= 8);
    }),
  );
});

t.test('one that has nothing left holds no memory', async (t) => {
  const splitters = Array.from({ length: 200 }, () => new LineSplitter());
  tidyUp(null);
  const before = process.memoryUsage().arrayBuffers;
  for (const splitter of splitters) {
    splitter.push(Buffer.from('a line\n'));
    while (splitter.next() !== undefined);
  }
  // Memory of buffers is given back beside the program: a collection has not always seen the end of it.
  const grown = () => process.memoryUsage().arrayBuffers - before;
  const most = (splitters.length * maxLineBytes) / 4;
  for (let collections = 0; collections < 20 && grown() >= most; collections++) {
    tidyUp(null);
    await turn();
  }
  t.ok(grown() < most, `${grown()} bytes`);
});
