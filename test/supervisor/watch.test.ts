import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { Log } from '../../src/logs/logger.js';
import { watchFiles } from '../../src/supervisor/watch.js';

const log = { logger: { warn: () => t.fail('nothing is refused') } } as unknown as Log;

/** What is told, one after the other. */
async function watching(t: Test, dir: string, ignored: string[] = []) {
  const told: (readonly string[])[] = [];
  let wake = () => {};
  const watcher = await watchFiles({
    dir,
    ignored,
    log,
    debounceMs: 100,
    onChange: (paths) => {
      told.push(paths);
      wake();
    },
  });
  t.teardown(() => watcher.close());
  return async () => {
    while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return told.shift();
  };
}

t.test('changes, new files and removals are told, those that come together once', async (t) => {
  const dir = t.testdir({ 'a.js': '', lib: { 'b.js': '' } });
  const next = await watching(t, dir);
  writeFileSync(path.join(dir, 'a.js'), 'changed');
  writeFileSync(path.join(dir, 'lib/c.js'), 'new');
  t.same(await next(), ['a.js', 'lib/c.js']);
  rmSync(path.join(dir, 'lib/b.js'));
  t.same(await next(), ['lib/b.js']);
  writeFileSync(path.join(dir, 'a.js.tmp'), 'saved by an editor');
  renameSync(path.join(dir, 'a.js.tmp'), path.join(dir, 'a.js'));
  t.match(await next(), /a\.js/);
});

t.test('what is installed, versioned or written by the supervisor does not count', async (t) => {
  const dir = t.testdir({ node_modules: { x: {} }, '.git': {}, lib: { node_modules: {} } });
  const next = await watching(t, dir, [path.join(dir, 'holdfast.out')]);
  for (const file of ['node_modules/x/i.js', '.git/HEAD', 'lib/node_modules/i.js', 'app.log', 'holdfast.out', '.env']) {
    writeFileSync(path.join(dir, file), 'changed');
  }
  mkdirSync(path.join(dir, 'src'));
  t.same(await next(), ['src']);
});
