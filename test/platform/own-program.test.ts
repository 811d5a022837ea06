import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { isWithinApplication, keepProgram, programFile } from '../../src/platform/own-program.js';

t.test('it lies within an application where node_modules of that application has it', async (t) => {
  const within = (root: string) => isWithinApplication(root, '/srv/shop/releases/1/dist/app.js');
  t.ok(within('/srv/shop/releases/1/node_modules/holdfast'));
  t.ok(within('/srv/shop/releases/1/node_modules/.pnpm/holdfast@1.0.0/node_modules/holdfast'));
  t.ok(within('/srv/shop/node_modules/holdfast'), 'that of a folder above');
  t.notOk(within('/srv/shop/releases/10/node_modules/holdfast'), 'another release');
  t.notOk(within('/usr/local/lib/node_modules/holdfast'), 'installed globally');
  t.notOk(within('/srv/shop/releases/1'), 'holdfast itself');
});

t.test('what is kept is taken from where it is as long as nothing has changed', async (t) => {
  const folder = path.join(mkdtempSync(path.join(os.tmpdir(), 'hf-')), 'x.program');
  t.teardown(() => rmSync(path.dirname(folder), { recursive: true }));
  const before = programFile('dist/worker/preload.js');
  const letGo = keepProgram(folder);
  t.equal(programFile('dist/worker/preload.js'), before);
  t.notOk(existsSync(folder), 'and nothing is written');
  letGo();
  t.equal(programFile('dist/worker/preload.js'), before);
});
