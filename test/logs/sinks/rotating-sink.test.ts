import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { linesFromFiles } from '../../../src/logs/file-history.js';
import { createLog } from '../../../src/logs/logger.js';
import { archivesAmong } from '../../../src/logs/sinks/archives.js';
import { intervalOf, type RotatingSink, type Rotation, rotatingSink } from '../../../src/logs/sinks/rotating-sink.js';
import { defaults, until } from '../support.js';

const HOUR_MS = 3_600_000;

function make(t: Test, more: Partial<Rotation> = {}) {
  const folder = t.testdir({});
  const file = path.join(folder, 'app.log');
  writeFileSync(file, '');
  const troubles: unknown[] = [];
  const rotation = { maxBytes: 0, maxAgeMs: 0, keep: 1_000, compress: false, graceMs: 0, ...more };
  const sink = rotatingSink({ file, mode: 0o640, onTrouble: (error) => troubles.push(error), ...rotation });
  t.teardown(() => sink.close());
  return { folder, file, sink, troubles };
}

const write = (sink: RotatingSink, text: string) =>
  new Promise<Error | null>((resolve) => sink.write(text, (error) => resolve(error)));

const read = (file: string) =>
  file.endsWith('.gz') ? gunzipSync(readFileSync(file)).toString() : readFileSync(file, 'utf8');

/** Every line in all files of the folder that are the log's, the oldest first. */
function linesIn(folder: string, others: readonly string[] = []): string[] {
  const names = [...others, ...archivesAmong(readdirSync(folder), 'app.log'), 'app.log'];
  return names.flatMap((name) => read(path.join(folder, name)).split('\n').slice(0, -1));
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);

t.test('a file that is large is put aside, and a new one begun, without a line lost or double', async (t) => {
  const { folder, sink, troubles } = make(t, { maxBytes: 100 });
  for (const line of numbers(100)) t.equal(await write(sink, `${line}\n`), null);
  t.same(linesIn(folder), numbers(100));
  const archives = archivesAmong(readdirSync(folder), 'app.log');
  t.ok(archives.length >= 7, `${archives.length} files`);
  t.ok(archives.every((name) => statSync(path.join(folder, name)).size < 120));
  t.equal(statSync(path.join(folder, 'app.log')).mode & 0o777, 0o640);
  t.same(troubles, []);
});

t.test('what is put aside is compressed, and the oldest go', async (t) => {
  const { folder, sink } = make(t, { maxBytes: 100, compress: true, keep: 3 });
  for (const line of numbers(100)) await write(sink, `${line}\n`);
  const names = () => archivesAmong(readdirSync(folder), 'app.log');
  await until(() => names().length === 3 && names().every((name) => name.endsWith('.gz')));
  const kept = linesIn(folder);
  t.same(kept, numbers(100).slice(-kept.length), 'the newest');
  t.ok(kept.length >= 30);
  t.notOk(readdirSync(folder).some((name) => name.endsWith('.part')));
});

t.test('what was left uncompressed is done at the next start, and what was done is not done again', async (t) => {
  const { folder, sink } = make(t, { maxBytes: 100, compress: true });
  const [half, done, stale] = [1, 2, 3].map((n) => `app.log.2026-01-0${n}T00-00-00.000Z`) as [string, string, string];
  writeFileSync(path.join(folder, half), 'half\n');
  writeFileSync(path.join(folder, `${half}.gz.part`), 'torn');
  utimesSync(path.join(folder, `${half}.gz.part`), 1, 1);
  writeFileSync(path.join(folder, stale), '');
  utimesSync(path.join(folder, stale), 1, 1);
  writeFileSync(path.join(folder, done), 'done\n');
  await write(sink, 'now\n');
  await until(() => archivesAmong(readdirSync(folder), 'app.log').join() === `${half}.gz,${done}.gz`);
  await until(() => readdirSync(folder).length === 3);
  t.same(linesIn(folder), ['half', 'done', 'now']);
});

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

t.test('a file is put aside when the clock strikes', async (t) => {
  const { folder, sink } = make(t, { maxAgeMs: 1_000 });
  let count = 0;
  while (archivesAmong(readdirSync(folder), 'app.log').length < 2) {
    await write(sink, `line ${count}\n`);
    count += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.same(linesIn(folder), numbers(count));
});

t.test('a file that has grown old while nobody wrote to it is put aside at the start', async (t) => {
  const { folder, file, sink } = make(t, { maxAgeMs: HOUR_MS });
  writeFileSync(file, `{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":"old"}\n`);
  await write(sink, 'new\n');
  t.equal(read(file), 'new\n');
  t.equal(archivesAmong(readdirSync(folder), 'app.log').length, 1);
  t.match(linesIn(folder)[0], /old/);
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

t.test('a file that somebody empties in place is not put aside before it is large again', async (t) => {
  const { folder, file, sink, troubles } = make(t, { maxBytes: 1_000, lookMs: 0 });
  const line = `${'x'.repeat(299)}\n`;
  for (let n = 0; n < 3; n += 1) await write(sink, line);
  await write(sink, '');
  // As `copytruncate` of logrotate does.
  truncateSync(file);
  for (let n = 0; n < 3; n += 1) await write(sink, line);
  t.equal(statSync(file).size, 900);
  t.same(archivesAmong(readdirSync(folder), 'app.log'), []);
  await write(sink, line);
  t.equal(archivesAmong(readdirSync(folder), 'app.log').length, 1);
  t.same(troubles, []);
});

t.test('a file that is gone with its folder is made again', async (t) => {
  const { folder, sink } = make(t, { maxBytes: 100 });
  await write(sink, 'line 0\n');
  rmSync(folder, { recursive: true });
  sink.reopen();
  t.equal(await write(sink, 'line 1\n'), null);
  t.same(linesIn(folder), ['line 1']);
});

t.test('ages are parts of the clock', async (t) => {
  const ages = [1_000, 20_000, 60_000, 10 * 60_000, HOUR_MS, 12 * HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS];
  t.same(ages.map(intervalOf), ['1s', '20s', '1m', '10m', '1h', '12h', '1d', '7d']);
  t.same([0, 7_000, 25 * 60_000, 5 * HOUR_MS, 25 * HOUR_MS].map(intervalOf), [null, null, null, null, null]);
});

t.test('only its own files are archives, the oldest first', async (t) => {
  const own = [
    'app.log.2026-01-02T03-04-05.006Z.gz',
    'app.log.2026-01-02T03-04-05.006Z-2',
    'app.log.2026-01-02T03-04-06.006Z',
  ];
  const others = [
    'app.log',
    'app.log.1',
    'app.log.old',
    'app.logs.2026-01-02T03-04-05.006Z',
    'x.2026-01-02T03-04-05.006Z',
  ];
  t.same(archivesAmong([...own, ...others].reverse(), '/var/log/app.log').sort(), own.toSorted());
  t.same(archivesAmong([own[2]!, own[0]!], '/var/log/app.log'), [own[0], own[2]]);
});

t.test('the log of a supervisor is rotated as its options say, and none of its lines is lost', async (t) => {
  const folder = t.testdir({});
  const options = { logMaxBytes: 10_000, logMaxAgeMs: 0, logKeep: 1_000, logCompress: false };
  const log = createLog({ ...defaults, ...options, logFile: path.join(folder, 'app.log') });
  for (let n = 0; n < 2_000; n += 1) {
    log.logger.info({ n }, 'here');
    if (n % 300 === 0) log.reopen();
    if (n % 100 === 0) await log.flush(60_000);
  }
  await log.flush(60_000);
  t.same(
    linesIn(folder).map((line) => JSON.parse(line).n),
    numbers(2_000).map((_, n) => n),
  );
  t.ok(archivesAmong(readdirSync(folder), 'app.log').length > 5);
});

t.test(
  'behind a symbolic link the file is put aside where it lies, and a new one is as open to others as it was',
  async (t) => {
    const folder = t.testdir({ disk: { 'app.log': '' } });
    const disk = path.join(folder, 'disk');
    const link = path.join(folder, 'app.log');
    chmodSync(path.join(disk, 'app.log'), 0o600);
    symlinkSync('disk/app.log', link);
    const options = { logMaxBytes: 1_000, logMaxAgeMs: 0, logKeep: 1_000, logCompress: false };
    const log = createLog({ ...defaults, ...options, logFile: link });
    for (let n = 0; n < 100; n += 1) {
      log.logger.info({ n }, 'here');
      if (n % 5 === 0) await log.flush(60_000);
    }
    await log.flush(60_000);
    t.equal(readlinkSync(link), 'disk/app.log');
    t.same(readdirSync(folder).sort(), ['app.log', 'disk']);
    t.equal(linesIn(disk).length, 100);
    t.ok(readdirSync(disk).every((name) => (statSync(path.join(disk, name)).mode & 0o777) === 0o600));
    const wanted = { count: 1_000, sinceMs: null, fits: (lines: readonly string[]) => lines.map(() => true) };
    t.equal((await linesFromFiles(link, wanted)).length, 100);
  },
);
