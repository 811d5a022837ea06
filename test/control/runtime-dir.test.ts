import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { checkRuntimeDir, ensureRuntimeDir, ownUid, resolveRuntimeDir } from '../../src/control/runtime-dir.js';
import { makeFolder } from './support/fake-target.js';

t.test('the runtime folder comes from the environment, then from the user', async (t) => {
  const both = { HOLDFAST_RUNTIME_DIR: '/srv/hold', XDG_RUNTIME_DIR: '/run/user/1000' };
  t.equal(resolveRuntimeDir(both, 1000, '/tmp'), '/srv/hold');
  t.equal(resolveRuntimeDir({ XDG_RUNTIME_DIR: '/run/user/1000' }, 1000, '/tmp'), '/run/user/1000/holdfast');
  t.equal(resolveRuntimeDir({ XDG_RUNTIME_DIR: '/run/user/0' }, 0, '/tmp'), '/run/user/0/holdfast');
  t.equal(resolveRuntimeDir({}, 0, '/tmp'), '/run/holdfast');
  t.equal(resolveRuntimeDir({}, 1000, '/var/tmp'), '/var/tmp/holdfast-1000');
});

t.test('empty variables and a relative XDG_RUNTIME_DIR count as not set', async (t) => {
  t.equal(resolveRuntimeDir({ HOLDFAST_RUNTIME_DIR: '', XDG_RUNTIME_DIR: '' }, 7, '/tmp'), '/tmp/holdfast-7');
  t.equal(resolveRuntimeDir({ XDG_RUNTIME_DIR: 'run' }, 7, '/tmp'), '/tmp/holdfast-7');
});

t.test('creates the folder for its owner alone, and takes it when it is there', async (t) => {
  const dir = path.join(makeFolder(t), 'deep', 'run');
  await ensureRuntimeDir(dir);
  t.equal(lstatSync(dir).mode & 0o777, 0o700);
  await ensureRuntimeDir(dir);
  t.equal(await checkRuntimeDir(dir), true);
});

t.test('refuses a folder of another user, naming the owner and what to do', async (t) => {
  const dir = makeFolder(t);
  const stranger = ownUid() + 1;
  await t.rejects(ensureRuntimeDir(dir, stranger), {
    code: 'RUNTIME_DIR_UNSAFE',
    exitCode: 2,
    message: new RegExp(`^cannot use runtime folder ${dir}: it belongs to user ${ownUid()}$`),
    hint: /HOLDFAST_RUNTIME_DIR/,
  });
  await t.rejects(checkRuntimeDir(dir, stranger), { code: 'RUNTIME_DIR_UNSAFE' });
});

t.test('root may look into the folder of every user, but not use it for itself', async (t) => {
  const dir = makeFolder(t);
  if (ownUid() === 0) {
    const { chownSync } = await import('node:fs');
    chownSync(dir, 65534, 65534);
    await t.rejects(ensureRuntimeDir(dir), { code: 'RUNTIME_DIR_UNSAFE', message: /belongs to user 65534/ });
  } else {
    await t.rejects(ensureRuntimeDir(dir, 0), { code: 'RUNTIME_DIR_UNSAFE' });
  }
  t.equal(await checkRuntimeDir(dir, 0), true);
});

t.test('refuses a folder that others may use', async (t) => {
  const dir = makeFolder(t);
  for (const mode of [0o710, 0o701, 0o720, 0o755, 0o777]) {
    chmodSync(dir, mode);
    await t.rejects(ensureRuntimeDir(dir), {
      code: 'RUNTIME_DIR_UNSAFE',
      message: new RegExp(`mode 0${mode.toString(8)}`),
      hint: `chmod 700 ${dir}`,
    });
  }
});

t.test('refuses a symbolic link, with and without a slash at its end', async (t) => {
  const dir = makeFolder(t);
  mkdirSync(path.join(dir, 'real'), { mode: 0o700 });
  const link = path.join(dir, 'link');
  symlinkSync(path.join(dir, 'real'), link);
  for (const given of [link, `${link}/`]) {
    await t.rejects(ensureRuntimeDir(given), { code: 'RUNTIME_DIR_UNSAFE', message: /symbolic link/ });
  }
  symlinkSync(path.join(dir, 'nowhere'), path.join(dir, 'dangling'));
  await t.rejects(ensureRuntimeDir(path.join(dir, 'dangling')), { exitCode: 2, message: /^cannot / });
});

t.test('refuses a file', async (t) => {
  const file = path.join(makeFolder(t), 'file');
  writeFileSync(file, '');
  await t.rejects(ensureRuntimeDir(file), { code: 'RUNTIME_DIR_UNSAFE', message: /not a folder/ });
  await t.rejects(ensureRuntimeDir(path.join(file, 'below')), {
    code: 'RUNTIME_DIR',
    exitCode: 2,
    message: /^cannot create runtime folder .*ENOTDIR$/,
  });
});

t.test('a folder that is not there is no fault for who only looks', async (t) => {
  t.equal(await checkRuntimeDir(path.join(makeFolder(t), 'none')), false);
});
