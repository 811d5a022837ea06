import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { shortPath } from '../../../src/sockets/bind/short-path.js';

t.test('a path that fits is its own name', async (t) => {
  for (const name of ['/run/app.sock', `/${'x'.repeat(106)}`, '\0abstract']) {
    const short = shortPath(name);
    t.equal(short?.name, name);
    short?.close();
  }
});

t.test('a longer one is named through its folder, for as long as that is open', async (t) => {
  const top = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  const folder = path.join(top, 'x'.repeat(100));
  mkdirSync(folder);
  const short = shortPath(path.join(folder, 'app.sock'));
  if (short === undefined) throw new Error('there is no name');
  t.ok(Buffer.byteLength(short.name) < 108, short.name);
  writeFileSync(short.name, '');
  t.same(readdirSync(folder), ['app.sock']);
  short.close();
  t.throws(() => writeFileSync(short.name, ''));
});

t.test('there is no name for a file that is too long itself, nor where there is no such folder', async (t) => {
  t.equal(shortPath(`/tmp/${'x'.repeat(110)}`), undefined);
  t.equal(shortPath(`/missing/${'x'.repeat(100)}/app.sock`), undefined);
  t.equal(shortPath(`\0${'x'.repeat(107)}`), undefined);
});
