// Builds the pages of the admin address and of the dashboard into dist/page/: a few files, compressed as they are sent.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = path.join(root, 'dist/page');
const read = (file) => readFileSync(path.join(root, file), 'utf8');

/** @returns the libraries that are in them */
export async function buildPage() {
  const scripts = await Promise.all(['page', 'dashboard'].map(bundle));
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const files = {
    ...Object.fromEntries(scripts.map(({ name, code }) => [`${name}.js`, code])),
    'page.css': read('node_modules/uplot/dist/uPlot.min.css') + read('src/page/page.css'),
    'index.html': read('src/page/index.html'),
    'dashboard.html': read('src/page/dashboard.html'),
  };
  for (const [name, text] of Object.entries(files))
    writeFileSync(path.join(out, `${name}.br`), brotliCompressSync(text));
  return scripts.flatMap(({ modules }) => modules);
}

/** One script to a page: it asks for no other. */
async function bundle(name) {
  const build = await rolldown({ cwd: root, input: `src/page/${name}.ts`, platform: 'browser' });
  const { output } = await build.generate({ format: 'es', minify: true, comments: false });
  await build.close();
  const [{ code, modules }, ...more] = output;
  if (more.length > 0) throw new Error(`cannot build the page ${name}: it does not fit into one file`);
  return { name, code, modules: Object.keys(modules) };
}
