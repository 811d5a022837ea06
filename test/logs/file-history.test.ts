import { linkSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { linesFromFiles } from '../../src/logs/file-history.js';

const ALL = { count: 1_000, sinceMs: null, fits: (lines: readonly string[]) => lines.map(() => true) };

t.test(
  'lines come from the log file and from what was put aside, and what cannot be read costs only itself',
  async (t) => {
    const folder = t.testdir({});
    const file = path.join(folder, 'app.log');
    const aside = (day: number, ending = '.gz') => `${file}.2026-01-0${day}T00-00-00.000Z${ending}`;
    writeFileSync(file, 'ä 5\nä 6\n');
    writeFileSync(aside(4, ''), 'ä 4\n');
    writeFileSync(aside(3), gzipSync('ä 2\nä 3'));
    // As one is that goes, or is another user's, between the look and the reading.
    mkdirSync(aside(2));
    writeFileSync(aside(1), 'no gzip');
    const large = Array.from({ length: 20_000 }, (_, n) => `ä ${n}`);
    t.same(await linesFromFiles(file, ALL), ['ä 2', 'ä 3', 'ä 4', 'ä 5', 'ä 6']);
    writeFileSync(aside(3), gzipSync(`${large.join('\n')}\n`));
    const found = await linesFromFiles(file, { ...ALL, count: 30_000 });
    t.same(found.slice(0, 20_000), large, 'no character is cut');
  },
);

t.test('what is compressed, or put aside, while others are read is read once and in its place', async (t) => {
  const folder = t.testdir({});
  const file = path.join(folder, 'app.log');
  const aside = (day: number) => `${file}.2026-01-0${day}T00-00-00.000Z`;
  writeFileSync(file, '3\n');
  writeFileSync(aside(1), '1\n');
  writeFileSync(aside(2), '2\n');
  const meanwhile = (lines: readonly string[]) => {
    if (lines.includes('2')) {
      writeFileSync(`${aside(1)}.gz`, gzipSync('1\n'));
      unlinkSync(aside(1));
    }
    return lines.map(() => true);
  };
  t.same(await linesFromFiles(file, { ...ALL, fits: meanwhile }), ['1', '2', '3']);
  // As if it had been opened before it was put aside, and another one after it.
  linkSync(file, aside(3));
  writeFileSync(aside(4), '4\n');
  t.same(await linesFromFiles(file, ALL), ['1', '2', '3']);
  renameSync(aside(4), file);
  t.same(await linesFromFiles(file, ALL), ['1', '2', '3', '4']);
});

t.test('while the file is put aside there is none of its name for a moment, which is waited for', async (t) => {
  const folder = t.testdir({});
  const file = path.join(folder, 'app.log');
  writeFileSync(`${file}.2026-01-01T00-00-00.000Z`, '1\n');
  const lines = linesFromFiles(file, ALL);
  setTimeout(() => writeFileSync(file, '2\n'), 50);
  t.same(await lines, ['1', '2']);
  unlinkSync(file);
  await t.rejects(linesFromFiles(file, ALL), { code: 'ENOENT' }, 'one that does not come is an error');
});
