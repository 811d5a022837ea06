import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { rotatingSink } from '../../../src/logs/sinks/rotating-sink.js';
import { linesIn, make, numbers, read, write } from '../support/rotating.js';
import { until } from '../support.js';

t.test('told to open it anew, it writes to the file that has its name then', async (t) => {
  const { folder, file, sink } = make(t, { maxBytes: 1_000_000 });
  await write(sink, 'line 0\n');
  renameSync(file, `${file}.1`);
  sink.reopen();
  await until(() => existsSync(file));
  await write(sink, 'line 1\n');
  t.same(linesIn(folder, ['app.log.1']), numbers(2));
  t.equal(read(file), 'line 1\n');
});

t.test('nothing is lost or double in a flood with rotations, openings anew and moves by others', async (t) => {
  const { folder, file, sink, troubles } = make(t, { maxBytes: 20_000 });
  const others: string[] = [];
  const count = 4_000;
  const all = numbers(count);
  for (let n = 0; n < count; n += 10) {
    const writing = write(
      sink,
      all
        .slice(n, n + 10)
        .map((line) => `${line}\n`)
        .join(''),
    );
    if (n % 500 === 0) sink.reopen();
    if (n % 700 === 0) {
      await writing;
      const moved = `app.log.${others.length + 1}`;
      renameSync(file, path.join(folder, moved));
      others.push(moved);
      // The next lines go to the old one still, as with logrotate.
      const late = (n + 350) % 700 === 0;
      if (!late) sink.reopen();
    }
    t.equal(await writing, null);
  }
  const found = linesIn(folder, others);
  t.equal(found.length, count);
  t.same(new Set(found), new Set(all));
  t.same(troubles, []);
});

t.test('a file that somebody has moved without a word is left within a second or so', async (t) => {
  const { folder, file, sink } = make(t, { maxBytes: 1_000_000 });
  await write(sink, 'line 0\n');
  renameSync(file, `${file}.1`);
  let count = 1;
  while (!existsSync(file)) {
    await write(sink, `line ${count}\n`);
    count += 1;
  }
  t.same(linesIn(folder, ['app.log.1']), numbers(count));
});

t.test('where a file cannot be put aside it is written to, and nothing is lost', async (t) => {
  const { folder, sink, troubles } = make(t, { maxBytes: 100 });
  // Root may write to any folder: it is a name that is too long that keeps the file where it is.
  const long = path.join(folder, `${'x'.repeat(240)}.log`);
  writeFileSync(long, '');
  const stuck = rotatingSink({
    ...{ file: long, mode: 0o640, maxBytes: 100, maxAgeMs: 0, keep: 1, compress: false },
    onTrouble: (error) => troubles.push(error),
  });
  t.teardown(() => stuck.close());
  for (const line of numbers(100)) t.equal(await write(stuck, `${line}\n`), null);
  t.equal(
    read(long),
    numbers(100)
      .map((line) => `${line}\n`)
      .join(''),
  );
  t.match(troubles, [{ code: 'ENAMETOOLONG' }]);
  t.equal(await write(sink, 'another\n'), null);
});

/** Has files written as on a disk that is nearly full: `most` bytes at once, and the system's error when `room` is used up. */
async function nearlyFull(t: Test, most: number, room = Number.POSITIVE_INFINITY): Promise<void> {
  const handle = await open(process.execPath);
  const kind = Object.getPrototypeOf(handle) as { write: (...args: unknown[]) => Promise<{ bytesWritten: number }> };
  await handle.close();
  const { write } = kind;
  let left = room;
  kind.write = function (bytes, at = 0) {
    const length = Math.min((bytes as Buffer).length - (at as number), most, left);
    if (length === 0) return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
    left -= length;
    return write.call(this, bytes, at, length);
  };
  t.teardown(() => {
    kind.write = write;
  });
}

t.test('what the system writes in pieces is written whole', async (t) => {
  const { folder, sink, troubles } = make(t, { maxBytes: 100 });
  await nearlyFull(t, 5);
  for (const line of numbers(100)) t.equal(await write(sink, `${line} ä\n`), null);
  t.same(
    linesIn(folder),
    numbers(100).map((line) => `${line} ä`),
  );
  t.same(troubles, []);
});

t.test('what did not fit is written as soon as it does, and nothing is lost, torn or double', async (t) => {
  const { folder, sink, troubles } = make(t, { maxBytes: 1_000 });
  // Within a character.
  await nearlyFull(t, 20, 34);
  for (const line of numbers(20)) t.equal(await write(sink, `ää ${line}\nöö ${line}\n`), null);
  t.same(
    linesIn(folder),
    numbers(20).flatMap((line) => [`ää ${line}`, `öö ${line}`]),
  );
  t.match(troubles, [{ code: 'ENOSPC' }]);
});

t.test('a file that is gone with its folder is made again', async (t) => {
  const { folder, sink } = make(t, { maxBytes: 100 });
  await write(sink, 'line 0\n');
  rmSync(folder, { recursive: true });
  sink.reopen();
  t.equal(await write(sink, 'line 1\n'), null);
  t.same(linesIn(folder), ['line 1']);
});
