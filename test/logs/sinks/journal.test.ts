import t from 'tap';
import { entryOf, journalSink, withPriority } from '../../../src/logs/sinks/journal.js';

/** The fields of an entry, as the journal reads them. */
function fields(entry: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < entry.length; ) {
    const end = entry.indexOf(10, at);
    const line = entry.toString('utf8', at, end);
    const equals = line.indexOf('=');
    if (equals >= 0) {
      found[line.slice(0, equals)] = line.slice(equals + 1);
      at = end + 1;
    } else {
      const length = Number(entry.readBigUInt64LE(end + 1));
      found[line] = entry.toString('utf8', end + 9, end + 9 + length);
      at = end + 10 + length;
    }
  }
  return found;
}

t.test('a line of the supervisor has its fields in words and apart', async (t) => {
  const line = { level: 'error', time: 'now', name: 'shop', slot: 1, worker: 7, generation: 2, code: 1, afterMs: 5 };
  t.same(fields(entryOf(line, 'worker exited')), {
    MESSAGE: 'worker exited code=1 afterMs=5',
    PRIORITY: '3',
    SYSLOG_IDENTIFIER: 'shop',
    HOLDFAST_SLOT: '1',
    HOLDFAST_WORKER: '7',
    HOLDFAST_GENERATION: '2',
    HOLDFAST_CODE: '1',
    HOLDFAST_AFTER_MS: '5',
  });
});

/** A sink, and the entries that have come out of it. */
function sink(failures: Error[] = []) {
  const sent: Record<string, string>[] = [];
  const it = journalSink({
    send(payload) {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      sent.push(fields(Buffer.from(payload)));
    },
    close: () => {},
  });
  const write = (...lines: object[]) =>
    new Promise<Error | null>((resolve) => {
      it.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), (error) => resolve(error));
    });
  return { it, sent, write };
}

const said = (msg: string, more: object = {}) => ({
  level: 'warn',
  name: 'shop',
  worker: 1,
  stream: 'stderr',
  msg,
  ...more,
});

t.test('the lines of a stack are one entry, also when they come apart, and those of others are not', async (t) => {
  const { it, sent, write } = sink();
  await write(said('/app.js:1'), said('null.x'));
  await write(said('     ^'), said(''), said('TypeError: no'));
  await write(said('    at here'), said('from another', { worker: 2 }), said('    at there', { worker: 2 }));
  await write(said('the rest of a long '), said('line', { continued: true }));
  it.flush?.();
  t.same(
    sent.map(({ MESSAGE }) => MESSAGE),
    [
      '/app.js:1',
      'null.x\n     ^\n',
      'TypeError: no\n    at here',
      'from another\n    at there',
      'the rest of a long line',
    ],
  );
  t.match(sent[3], { PRIORITY: '4', HOLDFAST_WORKER: '2', HOLDFAST_STREAM: 'stderr' });
});

t.test('an entry does not wait for ever for what may go on with it', async (t) => {
  const { sent, write } = sink();
  await write(said('alone'));
  // The timer keeps no process alive; the test does.
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(sent.length, 1);
});

t.test('a journal that lags behind is waited for; what it refuses is told as lost', async (t) => {
  const busy = Object.assign(new Error('busy'), { code: 'EAGAIN' });
  const { it, sent, write } = sink([busy, busy, new Error('too large')]);
  t.equal(await write(said('one'), said('two'), said('three')).then((error) => error?.message), 'too large');
  it.close();
  t.same(
    sent.map(({ MESSAGE }) => MESSAGE),
    ['two', 'three'],
  );
});

t.test('where the journal is reached by standard output only, the priority stands in front', async (t) => {
  t.equal(withPriority('{"level":"error","msg":"x"}\n'), '<3>{"level":"error","msg":"x"}\n');
  t.equal(withPriority('{"level":"info"}\n'), '<6>{"level":"info"}\n');
});
