import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { nameSources } from '../../../src/cli/process/stack-traces.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

t.test('an error that nobody expected names the sources, not the bundle', async (t) => {
  const dir = t.testdir({
    // Whoever asks for a file now gets an error that has no place in a program.
    'broken.cjs': `require('node:fs').statSync = () => null.x; require('node:module').syncBuiltinESMExports();`,
    'app.js': '',
  });
  const args = ['--require', path.join(dir, 'broken.cjs'), 'bin/holdfast.js', 'check', path.join(dir, 'app.js')];
  // The first file that is asked for is the folder that the shell names.
  const env = { PATH: process.env.PATH, PWD: root };
  const stderr = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: root, env }, (_error, _out, err) => resolve(err));
  });
  t.match(stderr, /this is a bug in holdfast/);
  t.match(stderr, /at \S+ \(.*broken\.cjs:1:\d+\)/, 'other files keep their own places');
  const [, file = '', line = ''] = /\((\S+\/src\/config\/\S+\.ts):(\d+)\)/.exec(stderr) ?? [];
  t.ok(file.startsWith(root), `${file} is a source`);
  t.match(readFileSync(file, 'utf8').split('\n')[Number(line) - 1], /statSync\(/, 'and the line is the one that asked');
});

t.test('frames without a map stay as they are', async (t) => {
  const before = Error.prepareStackTrace;
  t.teardown(() => {
    Error.prepareStackTrace = before;
  });
  const dir = t.testdir({ 'bad.cjs': 'exports.fail = () => new Error("no map");', 'bad.cjs.map.br': 'not compressed' });
  const { fail } = createRequire(import.meta.url)(path.join(dir, 'bad.cjs')) as { fail: () => Error };
  nameSources(dir);
  const { stack = '' } = fail();
  t.match(stack, /^Error: no map\n {4}at .*fail \(.*bad\.cjs:1:\d+\)/);
  const odd = Object.assign(new Error('x'), {
    toString() {
      throw new Error('twice');
    },
  });
  t.match(odd.stack, /^Error/);
});
