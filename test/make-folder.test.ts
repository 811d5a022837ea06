import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { makeFolder } from '../src/make-folder.js';

t.test('a folder is made with its parents, and may be there already', async (t) => {
  const folder = path.join(t.testdir({}), 'a/b/c');
  makeFolder(folder, 0o700);
  makeFolder(folder, 0o755);
  for (const one of [folder, path.dirname(folder)]) t.equal(statSync(one).mode & 0o777, 0o700);
  symlinkSync(folder, `${folder}-link`);
  makeFolder(path.join(`${folder}-link`, 'd'), 0o700);
  t.ok(statSync(path.join(folder, 'd')).isDirectory());
});

t.test('where it cannot be, the reason is told, and it ends', async (t) => {
  const folder = t.testdir({});
  const file = path.join(folder, 'file');
  writeFileSync(file, '');
  t.throws(() => makeFolder(file, 0o700), { code: 'EEXIST' });
  t.throws(() => makeFolder(path.join(file, 'x/y'), 0o700), { code: 'ENOTDIR' });
  symlinkSync(path.join(folder, 'gone'), path.join(folder, 'loose'));
  t.throws(() => makeFolder(path.join(folder, 'loose'), 0o700), { code: 'EEXIST' });
  t.throws(() => makeFolder('/proc/none-of-this-name/holdfast', 0o700), { code: /^(?:ENOENT|EACCES|EROFS|EPERM)$/ });
});
