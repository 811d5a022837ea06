import t from 'tap';
import { AnswerReader } from '../../../src/control/client/answer-reader.js';

/** What is read of a text that comes in pieces of so many bytes. */
function read(text: string, piece = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(text, 'utf8');
  const reader = new AnswerReader();
  const body: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += piece) body.push(...reader.read(bytes.subarray(from, from + piece)));
  const { statusCode, done, mayEnd } = reader;
  return { statusCode, done, mayEnd, body: Buffer.concat(body).toString('utf8') };
}

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\n\r\n';

t.test('reads a body of known length, in chunks, and up to the end, however the bytes are cut', async (t) => {
  const answers = {
    length: ['HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nzwei: ü', { done: true, mayEnd: true }],
    chunks: [`${CHUNKED}3\r\nzwe\r\n5;x=1\r\ni: ü\r\n0\r\nx: y\r\n\r\n`, { done: true, mayEnd: true }],
    open: ['HTTP/1.0 200 OK\r\n\r\nzwei: ü', { done: false, mayEnd: true }],
  } as const;
  for (const [name, [text, end]] of Object.entries(answers)) {
    for (const piece of [1, 2, 3, 7, 1_000]) {
      t.same(read(text, piece), { statusCode: 200, body: 'zwei: ü', ...end }, `${name} by ${piece}`);
    }
  }
});

t.test('an answer that has ended too early is not whole', async (t) => {
  for (const text of [
    '',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab',
    `${CHUNKED}3\r\nab`,
    `${CHUNKED}2\r\nab\r\n`,
    `${CHUNKED}2\r\nab\r\n0\r\n`,
  ]) {
    t.match(read(text), { done: false, mayEnd: false }, JSON.stringify(text));
  }
});

t.test('no body is an answer as well, and what follows one is not looked at', async (t) => {
  const none = 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n';
  t.same(read(`${none}HTTP/1.1 200 OK`), { statusCode: 404, done: true, mayEnd: true, body: '' });
});

t.test('the head is known before the body comes, and not sooner', async (t) => {
  const reader = new AnswerReader();
  reader.read(Buffer.from('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n'));
  t.equal(reader.statusCode, null);
  t.same(reader.read(Buffer.from('\r\nno')).map(String), ['no']);
  t.equal(reader.statusCode, 503);
});

t.test('what is no answer of HTTP/1.1 is refused', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\n';
  for (const text of [
    'SSH-2.0-OpenSSH_9.9\r\n',
    'HTTP/2 200\r\n',
    'HTTP/1.1 99 Low\r\n',
    `${head}no field\r\n`,
    `${head}content-length: -1\r\n`,
    `${head}content-length: 1e3\r\n`,
    `${head}transfer-encoding: gzip\r\n`,
    `${CHUNKED}xyz\r\n`,
    `${CHUNKED}-1\r\n`,
    `${CHUNKED}123456789\r\n`,
    `${CHUNKED}2\r\nabc\r\n`,
    `${head}${'x: y\r\n'.repeat(101)}`,
    `${CHUNKED}0\r\n${'x: y\r\n'.repeat(101)}`,
  ]) {
    t.throws(() => read(text), { message: /not HTTP\/1\.1/ }, JSON.stringify(text).slice(0, 80));
    t.throws(() => read(text, 1), { message: /not HTTP\/1\.1/ });
  }
});

t.test('a line without an end is not waited for', async (t) => {
  const reader = new AnswerReader();
  t.throws(
    () => {
      for (let i = 0; i < 100; i++) reader.read(Buffer.alloc(1_000, 'x'));
    },
    { message: /not HTTP\/1\.1/ },
  );
});
