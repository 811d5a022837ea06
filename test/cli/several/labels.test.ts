import t from 'tap';
import { Labels } from '../../../src/cli/several/labels.js';

/** What comes out of the chunks, piece by piece. */
async function labelled(chunks: readonly (string | Buffer)[]): Promise<string[]> {
  const labels = new Labels('api', 6);
  const pieces: string[] = [];
  labels.setEncoding('utf8').on('data', (text: string) => pieces.push(text));
  for (const chunk of chunks) labels.write(chunk);
  labels.end();
  await new Promise((resolve) => labels.once('end', resolve));
  return pieces;
}

t.test('each line has the name before it, and the last one an end', async (t) => {
  t.same((await labelled(['one\ntwo\n', 'three'])).join(''), 'api    | one\napi    | two\napi    | three\n');
  t.same(await labelled([]), []);
});

t.test('only whole lines go out at a time', async (t) => {
  t.same(await labelled(['be', 'gun', '\nnext', '\n']), ['api    | begun\n', 'api    | next\n']);
});

t.test('a character that comes in two parts stays one', async (t) => {
  const bytes = Buffer.from('grün\n');
  t.same((await labelled([bytes.subarray(0, 3), bytes.subarray(3)])).join(''), 'api    | grün\n');
});

t.test('a line of JSON passes as it is: the name is in it', async (t) => {
  const line = '{"level":"info","name":"api","msg":"x"}\n';
  t.same((await labelled([line])).join(''), line);
});

t.test('a line without an end is cut, and does not fill the memory', async (t) => {
  const pieces = await labelled(Array.from({ length: 20 }, () => 'x'.repeat(100_000)));
  t.ok(pieces.length > 5);
  t.ok(pieces.every((piece) => piece.length < 400_000));
  t.equal(pieces.join('').replaceAll(/[^x]/g, '').length, 2_000_000, 'nothing of it is lost');
});
