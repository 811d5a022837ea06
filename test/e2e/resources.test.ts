/** `-i max` and `maxMemory: 80%` under the real limits of a control group. */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { makeControlGroup } from './support/control-group.js';
import { apps, Holdfast, root } from './support/holdfast.js';

const MIB = 1024 ** 2;

for (const version of [1, 2] as const) {
  t.test(`-i max goes by the quota of a control group of version ${version}, and a reload reads it anew`, async (t) => {
    const group = makeControlGroup(t, version);
    if (typeof group === 'string') {
      t.pass(group, { skip: group });
      return;
    }
    group.limitCpus(1.5);
    group.limitMemory(1024 * MIB);
    const args = ['-i', 'max', '--max-memory', '50%', '--log-level', 'debug'];
    const holdfast = new Holdfast(t, path.join(apps, 'probe.cjs'), { args, wrapper: group.wrapper });
    await holdfast.message('started');
    const sizeNow = async () => (await holdfast.status()).size;
    t.equal(await sizeNow(), 1);

    t.equal((await holdfast.run('scale', '3')).code, 0);
    t.equal((await holdfast.run('reload')).code, 0);
    t.equal(await sizeNow(), 3, 'a size that came by scale stays while the quota does');

    group.limitCpus(null);
    const dry = await holdfast.run('reload', '--dry-run');
    if (availableParallelism() > 1) {
      t.match(dry.stdout, /instances/);
      t.match(dry.stdout, new RegExp(`maxMemoryBytes.*${Math.floor((512 * MIB) / availableParallelism())}`));
    }
    t.equal((await holdfast.run('reload')).code, 0);
    t.equal(await sizeNow(), availableParallelism() > 1 ? availableParallelism() : 3);
    t.equal((await holdfast.run('stop')).code, 0);
  });
}

t.test('check shows what max and a percentage come to', async (t) => {
  const [group] = ([2, 1] as const)
    .map((version) => makeControlGroup(t, version))
    .filter((one) => typeof one !== 'string');
  if (group === undefined) {
    t.pass('no limits', { skip: 'no control group can be made here' });
    return;
  }
  group.limitMemory(400 * MIB);
  const dir = t.testdir({ 'app.js': '', 'holdfast.json': '{"script":"app.js","instances":4,"maxMemory":"50%"}' });
  const [command = '', ...rest] = group.wrapper;
  const words = [
    ...rest,
    process.execPath,
    path.join(root, 'bin/holdfast.js'),
    'check',
    `${dir}/holdfast.json`,
    '--json',
  ];
  const { stdout } = await promisify(execFile)(command, words, { env: { PATH: process.env.PATH } });
  t.match(JSON.parse(stdout).config, { maxMemoryBytes: 50 * MIB, maxMemoryTotalBytes: 200 * MIB });
});
