import { execFileSync } from 'node:child_process';
import { constants, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import t from 'tap';
import { fileSink, openFileSink, type Sink, sinkFor } from '../../../src/logs/sinks/sink.js';
import { pipe, take } from '../support.js';

const write = (sink: Sink, text: string) =>
  new Promise<{ error: Error | null; writtenBytes: number }>((resolve) => {
    sink.write(text, (error, writtenBytes) => resolve({ error, writtenBytes }));
  });

/** Writes until the pipe takes no more; returns how many lines it took. */
function fill(fd: number): number {
  for (let lines = 0; ; lines += 1) {
    try {
      writeSync(fd, `${'x'.repeat(4095)}\n`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return lines;
      throw error;
    }
  }
}

for (const [kind, open] of [
  ['a pipe', sinkFor],
  ['a non-blocking descriptor that is written in a thread', fileSink],
] as const) {
  t.test(`${kind} that is full is written when it is read`, async (t) => {
    const { fd, lines } = pipe(t);
    const filled = fill(fd);
    const result = write(open(fd), 'last\n');
    t.equal((await take(lines(), filled + 1)).at(-1), 'last');
    t.same(await result, { error: null, writtenBytes: 0 });
  });

  t.test(`${kind} whose reader is gone is an error for each write`, async (t) => {
    const { fd, hangUp } = pipe(t);
    const sink = open(fd);
    hangUp();
    t.match(await write(sink, '1\n'), { error: { code: 'EPIPE' } });
    t.match(await write(sink, '2\n'), { error: Error });
  });
}

t.test('a file is created for its owner to write and its group to read', async (t) => {
  const umask = process.umask(0o022);
  t.teardown(() => process.umask(umask));
  const path = `${t.testdir({})}/app.log`;
  const sink = openFileSink(path);
  await write(sink, '1\n');
  sink.close();
  t.equal(statSync(path).mode & 0o777, 0o640);
});

t.test('a file is appended to', async (t) => {
  const path = `${t.testdir({})}/app.log`;
  writeFileSync(path, 'old\n');
  const sink = openFileSink(path);
  await write(sink, 'new\n');
  sink.close();
  t.equal(readFileSync(path, 'utf8'), 'old\nnew\n');
});

t.test('a named pipe that nobody reads is refused, not waited for', async (t) => {
  const path = `${t.testdir({})}/pipe`;
  execFileSync('mkfifo', [path]);
  t.throws(() => openFileSink(path), { code: 'ENXIO' });
});

t.test('a full device is an error for each write', async (t) => {
  const sink = sinkFor(openSync('/dev/full', constants.O_WRONLY));
  t.match(await write(sink, '1\n'), { error: { code: 'ENOSPC' }, writtenBytes: 0 });
  t.match(await write(sink, '2\n'), { error: { code: 'ENOSPC' }, writtenBytes: 0 });
  sink.close();
});
