import { lstat, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import {
  readSnapshot,
  type Snapshot,
  SnapshotFile,
  writeSnapshot,
} from '../../../../src/supervisor/takeover/orphans/snapshot.js';

const SNAPSHOT: Snapshot = {
  version: '0.2.0',
  generation: 7,
  nextWorker: 31,
  size: 4,
  configuredSize: 2,
  rollout: { state: 'rolledBack', from: 2, to: 3, reason: 'it crashed' },
  totals: { restarts: { crashed: 3, failed: 1, hung: 0, recycled: 2 }, rollouts: { done: 6, rolledBack: 1 } },
  slots: [{ slot: 0, restarts: 2, recycled: 0, reason: 'a worker exited with code 1' }],
  workers: [{ pid: 4711, startedAt: '99' }],
  sockets: [
    { cookie: '18446744073709551615', key: '*:80', slot: 1, index: 0 },
    { cookie: '4097', key: '*:80', slot: 0, index: 1 },
  ],
};

t.test('what was written is read', async (t) => {
  t.same(readSnapshot(writeSnapshot(SNAPSHOT)), { ok: true, snapshot: SNAPSHOT });
});

t.test('a newer version may have written more, an older one less', async (t) => {
  const written = JSON.parse(writeSnapshot(SNAPSHOT)) as Record<string, unknown>;
  const more = { ...written, weather: 'fine', totals: { ...SNAPSHOT.totals, dances: 3 } };
  t.same(readSnapshot(JSON.stringify(more)), { ok: true, snapshot: SNAPSHOT });

  t.match(readSnapshot('{"format":1}'), {
    ok: true,
    snapshot: {
      generation: 1,
      nextWorker: 1,
      size: null,
      totals: { restarts: { crashed: 0 } },
      slots: [],
      workers: [],
      sockets: [],
    },
  });
  t.match(readSnapshot('{"format":1,"totals":{"restarts":{"crashed":2}}}'), {
    ok: true,
    snapshot: { totals: { restarts: { crashed: 2, hung: 0 }, rollouts: { done: 0 } } },
  });
});

t.test('what is no state of ours is refused with the reason', async (t) => {
  const with_ = (change: object) => JSON.stringify({ format: 1, ...change });
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /not JSON/],
    ['[]', /format/],
    ['null', /must be an object/],
    ['{"format":2}', /format must be one of 1/],
    [with_({ generation: 0 }), /generation must be a whole number/],
    [with_({ nextWorker: '3' }), /nextWorker/],
    [with_({ size: 1e9 }), /size/],
    [with_({ slots: [{ slot: -1 }] }), /slots\[0\]\.slot/],
    [with_({ sockets: [{ cookie: '1; rm', key: 'a', slot: 0 }] }), /sockets\[0\]\.cookie must be a number/],
    [' '.repeat(1024 * 1024 + 1), /too long/],
  ];
  for (const [written, reason] of wrong) t.match(readSnapshot(written), { ok: false, reason });
});

t.test('the file has the last of what was asked for, is nobody else to read, and goes in the end', async (t) => {
  const folder = t.testdir();
  const file = path.join(folder, 'shop.state');
  const problems: string[] = [];
  const kept = new SnapshotFile(file, (reason) => problems.push(reason));
  for (let nextWorker = 1; nextWorker <= 20; nextWorker++) kept.keep({ ...SNAPSHOT, nextWorker });
  await kept.settled();
  t.match(readSnapshot(await readFile(file, 'utf8')), { snapshot: { nextWorker: 20 } });
  t.equal((await stat(file)).mode & 0o777, 0o600);
  const { ino } = await stat(file);
  kept.keep({ ...SNAPSHOT, nextWorker: 20 });
  await kept.settled();
  t.equal((await stat(file)).ino, ino, 'what is written already is not written again');
  await kept.remove();
  kept.keep(SNAPSHOT);
  await kept.settled();
  t.same(await readdir(folder), []);
  t.same(problems, []);
});

t.test('what could not be written is written the next time, changed or not, and nothing of it is left', async (t) => {
  const problems: string[] = [];
  const folder = t.testdir({ 'shop.state.new': { 'in-the-way': '' } });
  const file = path.join(folder, 'shop.state');
  const kept = new SnapshotFile(file, (reason) => problems.push(reason));
  for (let i = 0; i < 3; i++) {
    kept.keep(SNAPSHOT);
    await kept.settled();
  }
  t.equal(problems.length, 1, 'the same trouble is told once');
  await rm(`${file}.new`, { recursive: true });
  kept.keep(SNAPSHOT);
  await kept.settled();
  t.same(readSnapshot(await readFile(file, 'utf8')), { ok: true, snapshot: SNAPSHOT });
  t.same(await readdir(folder), ['shop.state']);
});

t.test('a link that lies there is not followed', async (t) => {
  const folder = t.testdir({ other: 'as it was' });
  const file = path.join(folder, 'shop.state');
  for (const link of [file, `${file}.new`]) await symlink(path.join(folder, 'other'), link);
  const kept = new SnapshotFile(file, (reason) => t.fail(reason));
  kept.keep(SNAPSHOT);
  await kept.settled();
  t.equal(await readFile(path.join(folder, 'other'), 'utf8'), 'as it was');
  t.ok((await lstat(file)).isFile());
});

t.test('a folder that cannot be written to is told of, and nothing else comes of it', async (t) => {
  const problems: string[] = [];
  const kept = new SnapshotFile(path.join(t.testdir(), 'missing/shop.state'), (reason) => problems.push(reason));
  kept.keep(SNAPSHOT);
  await kept.settled();
  t.match(problems, [/ENOENT/]);
  await kept.remove();
});
