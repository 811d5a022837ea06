// Builds the page of the admin address into dist/page/: three files, compressed as they are sent.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = path.join(root, 'dist/page');
const read = (file) => readFileSync(path.join(root, file), 'utf8');

/** @returns the libraries that are in it */
export async function buildPage() {
  const build = await rolldown({ cwd: root, input: 'src/page/page.ts', platform: 'browser' });
  const { output } = await build.generate({ format: 'es', minify: true, comments: false });
  await build.close();
  const [chunk, ...more] = output;
  if (more.length > 0) throw new Error('cannot build the page: it does not fit into one file');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const css = read('node_modules/uplot/dist/uPlot.min.css') + read('src/page/page.css');
  const files = { 'page.js': chunk.code, 'page.css': css, 'index.html': read('src/page/index.html') };
  for (const [name, text] of Object.entries(files))
    writeFileSync(path.join(out, `${name}.br`), brotliCompressSync(text));
  return Object.keys(chunk.modules);
}
