import { mkdirSync, writeFileSync } from 'node:fs';
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
