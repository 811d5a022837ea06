/**
 * Packages of an application as one file with its compiled code. A worker reads and compiles some hundred files otherwise, which
 * takes more processor time than all that it does until the next reload.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { rolldown } from 'rolldown';
import type { Test } from 'tap';
import { makeRuntimeDir, root } from './holdfast.js';

const require = createRequire(path.join(root, 'package.json'));
const ENTRY = 'packages';

/** @returns the environment for applications that take their packages from test/fixtures/packages.cjs */
export async function pack(t: Test, names: readonly string[]): Promise<{ readonly PACKAGES: string }> {
  const folder = path.join(makeRuntimeDir(t), 'packages');
  mkdirSync(folder);
  const list = names.map((name) => `${JSON.stringify(name)}: require(${JSON.stringify(require.resolve(name))})`);
  const build = await rolldown({
    cwd: root,
    input: ENTRY,
    platform: 'node',
    plugins: [
      {
        name: ENTRY,
        resolveId: (id) => (id === ENTRY ? id : null),
        load: (id) => (id === ENTRY ? `module.exports = { ${list.join(', ')} };` : null),
      },
    ],
  });
  const { output } = await build.generate({ format: 'cjs', minify: true, codeSplitting: false });
  await build.close();
  const code = `(function (module, require) { ${output[0].code}\n})`;
  const filename = path.join(folder, 'packages.cjs');
  const script = new vm.Script(code, { filename });
  // What has run is in the cache, compiled.
  (script.runInThisContext() as (...given: unknown[]) => void)({ exports: {} }, require);
  writeFileSync(filename, code);
  writeFileSync(path.join(folder, 'packages.cache'), script.createCachedData());
  return { PACKAGES: folder };
}
