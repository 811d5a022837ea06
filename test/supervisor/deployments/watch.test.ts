import fs, { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { Log } from '../../../src/logs/logger.js';
import { type WatchOptions, watchFiles } from '../../../src/supervisor/deployments/watch.js';

const quiet = { logger: { warn: () => t.fail('nothing is refused') } } as unknown as Log;

/** What is told, one after the other. */
async function watching(t: Test, dir: string, more: Partial<WatchOptions> = {}) {
  const told: (readonly string[])[] = [];
  let wake = () => {};
  const watcher = await watchFiles({
    dir,
    log: quiet,
    debounceMs: 150,
    onChange: (paths) => {
      told.push(paths);
      wake();
    },
    ...more,
  });
  t.teardown(() => watcher.close());
  return async () => {
    while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return told.shift();
  };
}

t.test('those that come together are told once', async (t) => {
  const dir = t.testdir({ 'a.js': '', lib: {} });
  // A new file is found by reading its folder: on a busy machine a good while after the other.
  const next = await watching(t, dir, { debounceMs: 1_500 });
  writeFileSync(path.join(dir, 'a.js'), 'changed');
  writeFileSync(path.join(dir, 'lib/c.js'), 'new');
  t.same(await next(), ['a.js', 'lib/c.js']);
});

t.test('changes, new files and removals are told', async (t) => {
  const dir = t.testdir({ 'a.js': '', lib: { 'b.js': '' } });
  const next = await watching(t, dir);
  writeFileSync(path.join(dir, 'a.js'), 'changed');
  t.same(await next(), ['a.js']);
  rmSync(path.join(dir, 'lib/b.js'));
  t.same(await next(), ['lib/b.js']);
  mkdirSync(path.join(dir, 'new'));
  t.same(await next(), ['new']);
  writeFileSync(path.join(dir, 'new/d.js'), '');
  t.same(await next(), ['new/d.js']);
});

t.test('a file that an editor saves by renaming another is told once', async (t) => {
  const dir = t.testdir({ 'a.js': '', 'z.js': '' });
  const next = await watching(t, dir);
  for (const round of ['first', 'second']) {
    writeFileSync(path.join(dir, 'a.js~'), round);
    renameSync(path.join(dir, 'a.js~'), path.join(dir, 'a.js'));
    t.same(await next(), ['a.js'], round);
  }
  // Were there a second one, it would come before this.
  writeFileSync(path.join(dir, 'z.js'), 'changed');
  t.same(await next(), ['z.js']);
});

t.test('a stream of changes does not put it off for ever', async (t) => {
  const dir = t.testdir({ 'a.js': '' });
  const next = await watching(t, dir, { debounceMs: 600_000 });
  let count = 0;
  const stream = setInterval(() => writeFileSync(path.join(dir, 'a.js'), String(count++)), 100);
  const told = await next();
  // Before the folder goes, which is before what is torn down.
  clearInterval(stream);
  t.same(told, ['a.js']);
});

t.test('what is installed, versioned or written by the supervisor does not count', async (t) => {
  const dir = t.testdir({ node_modules: { x: {} }, '.git': {}, lib: { node_modules: {} }, state: {} });
  const next = await watching(t, dir, { ignored: [path.join(dir, 'holdfast.out'), path.join(dir, 'state')] });
  const others = [
    'node_modules/x/i.js',
    '.git/HEAD',
    'lib/node_modules/i.js',
    'app.log',
    'holdfast.out',
    '.env',
    'state/1',
  ];
  for (const file of others) writeFileSync(path.join(dir, file), 'changed');
  mkdirSync(path.join(dir, 'src'));
  t.same(await next(), ['src']);
});

t.test('a folder that is reached by a symbolic link is watched, and what is ignored in it stays so', async (t) => {
  const root = t.testdir({ releases: { one: { 'a.js': '' } }, current: t.fixture('symlink', 'releases/one') });
  const dir = path.join(root, 'current');
  const next = await watching(t, dir, { ignored: [path.join(dir, 'out')] });
  writeFileSync(path.join(dir, 'out'), 'written');
  writeFileSync(path.join(dir, 'a.js'), 'changed');
  t.same(await next(), ['a.js']);
});

t.test('symbolic links count as themselves, also one to a folder that it is in', async (t) => {
  const dir = t.testdir({ 'a.js': '', 'b.js': '', lib: { self: t.fixture('symlink', '..') } });
  symlinkSync('a.js', path.join(dir, 'link.js'));
  const next = await watching(t, dir);
  writeFileSync(path.join(dir, 'a.js'), 'changed');
  t.same(await next(), ['a.js']);
  unlinkSync(path.join(dir, 'link.js'));
  symlinkSync('b.js', path.join(dir, 'link.js'));
  t.same(await next(), ['link.js']);
});

t.test('what the system refuses to watch is told once, with what to do, and the rest is watched', async (t) => {
  const dir = t.testdir({ full: { 'a.js': '', 'b.js': '' }, 'c.js': '' });
  const { watch } = fs;
  const restore = () => {
    fs.watch = watch;
    syncBuiltinESMExports();
  };
  t.teardown(restore);
  fs.watch = ((file: string, ...rest: []) => {
    if (!file.startsWith(path.join(dir, 'full'))) return watch(file, ...rest);
    throw Object.assign(new Error(`ENOSPC: watch '${file}'`), { code: 'ENOSPC' });
  }) as typeof watch;
  syncBuiltinESMExports();
  const told: object[] = [];
  const log = { logger: { warn: (fields: object) => told.push(fields) } } as unknown as Log;
  const next = await watching(t, dir, { log });
  t.match(told, [{ reason: /ENOSPC/, hint: /max_user_watches/ }]);
  t.equal(told.length, 1);
  writeFileSync(path.join(dir, 'c.js'), 'changed');
  t.same(await next(), ['c.js']);
});

t.test('a folder that is not there ends nothing', async (t) => {
  const watcher = await watchFiles({ dir: path.join(t.testdir({}), 'none'), onChange: () => {}, log: quiet });
  await t.resolves(watcher.close());
});
