// Makes programs of tests: scripts/test.js runs them.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { parseSync, Visitor } from 'rolldown/utils';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What the programs are made of, by name, each as one file `name.mjs` in the folder. What several share is there once. */
export async function compile(programs, folder) {
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries([...programs.keys()].map((name) => [name, `test:${name}`])),
    platform: 'node',
    external: (id) => /^[^./]/.test(id) && !id.startsWith('test:'),
    plugins: [{ name: 'tests', resolveId: find, load: (id) => gather(id, programs), transform: inPlace }],
  });
  await build.write({
    dir: folder,
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name].mjs',
  });
  await build.close();
}

/**
 * tap as one file, where the tests find it first: its 300 files would take half a second of each process, ten times what most
 * tests take. Below a name that tap leaves out of stack traces as its own.
 */
export async function bundleTap(folder) {
  const packages = path.join(folder, 'node_modules');
  const build = await rolldown({ input: { tap: 'tap' }, cwd: root, platform: 'node' });
  const [file, options] = ['@tapjs/bundled.js', { format: 'esm', codeSplitting: false }];
  await build.write({ file: path.join(packages, file), ...options });
  await build.close();
  mkdirSync(path.join(packages, 'tap'));
  writeFileSync(path.join(packages, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(
    path.join(packages, 'tap/index.mjs'),
    `export * from '../${file}';\nexport { default } from '../${file}';\n`,
  );
  writeFileSync(path.join(packages, 'tap/package.json'), JSON.stringify({ name: 'tap', exports: './index.mjs' }));
}

/** What is imported from dist is taken as it is. */
function find(id, importer) {
  if (id.startsWith('test:')) return id;
  if (importer === undefined || !id.includes('/dist/')) return null;
  return { id: pathToFileURL(path.resolve(path.dirname(importer), id)).href, external: 'absolute' };
}

/** The program of several tests imports them one after the other. */
function gather(id, programs) {
  if (!id.startsWith('test:')) return null;
  const { files } = programs.get(id.slice('test:'.length));
  return files.map((file) => `import ${JSON.stringify(path.join(root, 'test', file))};`).join('\n');
}

/** A file finds its fixtures from where its source is; what looks the same in a text is left alone. */
function inPlace(code, id) {
  if (!code.includes('import.meta.url')) return null;
  const url = JSON.stringify(pathToFileURL(id).href);
  let at = 0;
  let out = '';
  const { program } = parseSync(id, code);
  new Visitor({
    MemberExpression({ object, property, start, end }) {
      if (object.type !== 'MetaProperty' || property.name !== 'url') return;
      out += code.slice(at, start) + url;
      at = end;
    },
  }).visit(program);
  return { code: out + code.slice(at), map: null };
}
