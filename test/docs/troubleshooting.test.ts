/** docs/troubleshooting.md quotes what holdfast says: each message stands in the source. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { proseOf, root } from './pages.js';

const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.[jt]s$/.test(name))
  .map((name) => readFileSync(path.join(root, 'src', name), 'utf8'));

/** Headings that are a message and nothing else; "…" stands for what varies. */
const quoted = [...proseOf('docs/troubleshooting.md').matchAll(/^### `([^`]+)`$/gm)].map(([, message = '']) => message);

/** Whether one source says all of it that does not vary, or the parts of a message that is put together from two. */
function isSaid(message: string): boolean {
  const parts = message
    .split('…')
    .map((part) => part.replace(/^[:;,\s]+/, '').trim())
    .filter((part) => part.length > 2);
  return parts.every((part) => sources.some((source) => source.includes(part)));
}

t.test('every message that the page quotes is one that holdfast says', async (t) => {
  t.ok(quoted.length >= 20, `${quoted.length} messages`);
  for (const message of quoted) t.ok(isSaid(message), message);
});

t.test('a message that nobody says is found', async (t) => {
  t.notOk(isSaid('cannot listen on …: the moon is in the way'));
});
