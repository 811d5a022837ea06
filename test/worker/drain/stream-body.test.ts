import t from 'tap';
import { BodyReader, type Unit } from '../../../dist/worker/drain/stream-body.js';

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** Whether the body may end after each of these pieces. */
function wholes(unit: Unit, pieces: readonly string[], chunked = false): boolean[] {
  const body = new BodyReader(unit, chunked);
  return pieces.map((piece) => {
    body.read(chunked ? chunk(piece) : piece);
    return body.isWhole;
  });
}

t.test('an event ends with a blank line, whatever ends its lines and however it is cut into pieces', async (t) => {
  for (const end of ['\n', '\r', '\r\n']) {
    t.same(wholes('event', [`data: a${end}`, `data: b${end}`, end]), [false, false, true], JSON.stringify(end));
    t.same(wholes('event', [`id: 1${end}data: a${end}${end}`, 'd', `ata: b${end}${end}`]), [true, false, true]);
  }
  t.same(wholes('event', ['data: a\r\n\r', '\n']), [true, true]);
  t.same(wholes('event', ['data: a\n', '\r\n']), [false, true]);
});

t.test('one end of a line is none of an event', async (t) => {
  t.same(wholes('event', ['data: a\r\n', 'data: b\r', '\n']), [false, false, false]);
  t.same(wholes('event', ['\n', 'x', 'x\n']), [false, false, false]);
});

t.test('lines, chunks and flushes', async (t) => {
  t.same(wholes('line', ['{"a":', '1}\n', '{']), [false, true, false]);
  t.same(wholes('chunk', ['a', 'b'], true), [true, true]);
  const body = new BodyReader('flush', false);
  body.read(Buffer.from([1, 2, 0, 0]));
  t.equal(body.isWhole, false);
  body.read(Buffer.from([0xff, 0xff]));
  t.equal(body.isWhole, true);
});

t.test('a body in chunks is whole between two of them only, however they are sent', async (t) => {
  const bytes = chunk('data: \u00e4\n\n') + chunk('x'.repeat(300)) + chunk('\n\n');
  const wholeAt: number[] = [];
  const body = new BodyReader('event', true);
  t.equal(body.isWhole, true, 'nothing is known of what came before');
  t.equal(body.hasUnits, false);
  const all = Buffer.from(bytes);
  for (const [i, byte] of all.entries()) {
    body.read(Buffer.from([byte]));
    if (body.isWhole) wholeAt.push(i + 1);
  }
  t.same(wholeAt, [Buffer.byteLength(chunk('data: \u00e4\n\n')), all.length]);
  t.equal(body.hasUnits, true);
});

t.test('a string counts in its own encoding', async (t) => {
  const body = new BodyReader('line', true);
  body.read('2', 'latin1');
  body.read('\r\n', 'latin1');
  body.read('\u00e4', 'utf8');
  t.equal(body.isWhole, false);
  body.read('\r\n', 'latin1');
  t.equal(body.isWhole, false, 'the chunk is over, the line is not');
  body.read('1\r\n\n\r\n', 'latin1');
  t.equal(body.isWhole, true);
});
