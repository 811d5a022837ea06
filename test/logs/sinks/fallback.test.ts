import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { withFallback } from '../../../src/logs/sinks/fallback.js';
import type { Sink } from '../../../src/logs/sinks/sink.js';
import { fixture, plainEnv } from '../support.js';

/** A sink of which a test says whether it works. */
function fake() {
  const written: string[] = [];
  const state = { error: null as Error | null, writtenBytes: 0, closed: false };
  const sink: Sink = {
    write(text, done) {
      const { error, writtenBytes } = state;
      if (error === null) written.push(text);
      setImmediate(() => done(error, writtenBytes));
    },
    close() {
      state.closed = true;
    },
  };
  return { sink, written, state };
}

const write = (sink: Sink, text: string) =>
  new Promise<Error | null>((resolve) => sink.write(text, (error) => resolve(error)));

t.test('while the file cannot be written its lines go elsewhere, which is told once, and back again', async (t) => {
  const [main, spare] = [fake(), fake()];
  const troubles: (Error | null)[] = [];
  let opened = 0;
  const openSpare = () => {
    opened += 1;
    return spare.sink;
  };
  const sink = withFallback({ main: main.sink, openSpare, onTrouble: (error) => troubles.push(error), retryMs: 0 });
  t.equal(await write(sink, 'a\n'), null);
  t.equal(opened, 0);
  const error = new Error('disk full');
  Object.assign(main.state, { error, writtenBytes: 1 });
  t.equal(await write(sink, 'b\n'), null);
  main.state.writtenBytes = 0;
  t.equal(await write(sink, 'c\n'), null);
  Object.assign(main.state, { error: null, writtenBytes: 0 });
  t.equal(await write(sink, 'd\n'), null);
  t.equal(await write(sink, 'e\n'), null);
  t.same(main.written, ['a\n', '\nd\n', 'e\n'], 'what was torn does not run into the next');
  t.same(spare.written, ['b\n', 'c\n']);
  t.same(troubles, [error, null]);
  t.equal(opened, 1);
  sink.close();
  t.ok(main.state.closed);
  t.notOk(spare.state.closed);
});

t.test(
  'of what did not fit any more the lines that are in the file are not told twice, and one that is torn is told whole',
  async (t) => {
    const [main, spare] = [fake(), fake()];
    const sink = withFallback({ main: main.sink, openSpare: () => spare.sink, onTrouble: () => {}, retryMs: 0 });
    const fail = (writtenBytes: number) => Object.assign(main.state, { error: new Error('disk full'), writtenBytes });
    fail('ä\nb\n'.length + 2);
    await write(sink, 'ä\nb\ncc\nd\n');
    t.same(spare.written.splice(0), ['cc\nd\n']);
    fail(0);
    await write(sink, 'e\n');
    fail(1);
    await write(sink, 'f\n');
    t.same(spare.written.splice(0), ['e\n', 'f\n'], 'the newline before it is not told');
    Object.assign(main.state, { error: null });
    await write(sink, 'g\n');
    t.same(main.written, ['g\n'], 'the torn line has its end');
  },
);

t.test('the file is not tried for every line, and where nothing can be written that is an error', async (t) => {
  const [main, spare] = [fake(), fake()];
  let tries = 0;
  const counted: Sink = {
    ...main.sink,
    write: (text, done) => {
      tries += 1;
      main.sink.write(text, done);
    },
  };
  const sink = withFallback({ main: counted, openSpare: () => spare.sink, onTrouble: () => {}, retryMs: 60_000 });
  main.state.error = new Error('disk full');
  for (const text of ['a', 'b', 'c']) t.equal(await write(sink, text), null);
  t.equal(tries, 1);
  spare.state.error = new Error('gone');
  t.equal(await write(sink, 'd'), spare.state.error);
});

t.test('the lines of a log file on a full device are on standard error, with the reason', async (t) => {
  const child = spawn(process.execPath, [fixture('full-device')], {
    env: plainEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  t.same(await once(child, 'close'), [0, null]);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(
    lines.find(({ msg }) => msg === 'cannot write log file'),
    { level: 'error', err: { code: 'ENOSPC' } },
  );
  t.same(
    lines.filter(({ n }) => n !== undefined).map(({ n }) => n),
    [0, 1, 2],
  );
});
