import t from 'tap';
import { plainEnvironment, restoreOptions, withoutPreloads } from '../../../src/cli/process/node-options.js';

t.test('what preloads modules is taken out of NODE_OPTIONS, and nothing else', async (t) => {
  const table: [string, string][] = [
    ['', ''],
    ['--max-old-space-size=512', '--max-old-space-size=512'],
    ['--require dd-trace/init', ''],
    ['-r ./a.js --import=b --max-old-space-size=512 --import c', '--max-old-space-size=512'],
    ['--require="/with space/a \\"b\\".js" --trace-warnings', '--trace-warnings'],
    ['--require "/with space/a.js" --title="a b"', '--title="a b"'],
    ['--experimental-loader x --loader=y --no-warnings', '--no-warnings'],
    [
      '--require /shop/.pnp.cjs --experimental-loader file:///shop/.pnp.loader.mjs -r apm',
      '--require /shop/.pnp.cjs --experimental-loader file:///shop/.pnp.loader.mjs',
    ],
    ['--require', ''],
    ['--import-x --required', '--import-x --required'],
  ];
  for (const [options, own] of table) t.equal(withoutPreloads(options), own, options);
});

t.test('a process begins without, and gives the whole on', async (t) => {
  t.equal(plainEnvironment({ A: '1' }), null);
  t.equal(plainEnvironment({ NODE_OPTIONS: '  --no-warnings  --trace-exit ' }), null, 'there is nothing to take out');
  for (const NODE_OPTIONS of ['--import apm', '--import apm --no-warnings']) {
    const env = { A: '1', NODE_OPTIONS };
    const plain = plainEnvironment(env) ?? {};
    t.notMatch(plain.NODE_OPTIONS ?? '', /apm/);
    t.not(plain.NODE_OPTIONS, '', 'an empty one would be one all the same');
    restoreOptions(plain);
    t.strictSame(plain, env);
  }
  const untouched = { NODE_OPTIONS: '--import apm' };
  restoreOptions(untouched);
  t.strictSame(untouched, { NODE_OPTIONS: '--import apm' });
});
