import {
  chmodSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { linesFromFiles } from '../../../src/logs/file-history.js';
import { createLog } from '../../../src/logs/logger.js';
import { archivesAmong } from '../../../src/logs/sinks/archives.js';
import { intervalOf } from '../../../src/logs/sinks/rotating-sink.js';
import { HOUR_MS, linesIn, make, numbers, read, write } from '../support/rotating.js';
import { defaults, until } from '../support.js';

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

t.test('ages are parts of the clock', async (t) => {
  const ages = [1_000, 20_000, 60_000, 10 * 60_000, HOUR_MS, 12 * HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS];
  t.same(ages.map(intervalOf), ['1s', '20s', '1m', '10m', '1h', '12h', '1d', '7d']);
  t.same([0, 7_000, 25 * 60_000, 5 * HOUR_MS, 25 * HOUR_MS].map(intervalOf), [null, null, null, null, null]);
});

t.test('only its own files are archives, the oldest first', async (t) => {
  const own = [
    'app.log.2026-01-02T03-04-05.006Z.gz',
    'app.log.2026-01-02T03-04-05.006Z-2',
    'app.log.2026-01-02T03-04-05.006Z-2.gz',
    'app.log.2026-01-02T03-04-05.006Z-10.gz',
    'app.log.2026-01-02T03-04-06.006Z',
  ];
  const others = [
    'app.log',
    'app.log.1',
    'app.log.old',
    'app.logs.2026-01-02T03-04-05.006Z',
    'x.2026-01-02T03-04-05.006Z',
  ];
  t.same(archivesAmong([...own, ...others], '/var/log/app.log'), own);
  t.same(archivesAmong([...own, ...others].reverse(), '/var/log/app.log'), own);
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
