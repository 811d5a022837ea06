import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { apps, Holdfast } from './support/holdfast.js';
import { freePort } from './support/ports.js';

t.test('of reloads that overlap no two commands run side by side, all are answered, and a stop stops', async (t) => {
  const port = await freePort();
  const dir = t.testdir({ trace: '' });
  const trace = path.join(dir, 'trace');
  // Ended early it says so; the first one would take far longer than the test.
  const command = `trap 'echo end >> ${trace}; exit 1' TERM; echo begin | tee -a ${trace}; if [ -e ${dir}/quick ]; then echo end >> ${trace}; exit 0; fi; sleep 60 & wait`;
  const holdfast = new Holdfast(t, path.join(apps, 'release.cjs'), {
    args: ['-i', '1', '--drain-timeout', '500ms', '--before-reload', command],
    env: { PORT: String(port), MOOD_FILE: path.join(dir, 'mood') },
  });
  writeFileSync(path.join(dir, 'mood'), 'good');
  await holdfast.message('started');
  const first = holdfast.run('reload');
  await holdfast.message('begin');
  appendFileSync(path.join(dir, 'quick'), '');
  const second = holdfast.run('reload');
  t.same(
    (await Promise.all([first, second])).map(({ code }) => code),
    [0, 0],
  );
  t.same(readFileSync(trace, 'utf8').trim().split('\n'), ['begin', 'end', 'begin', 'end']);
  const { rollout, workers } = await holdfast.status();
  t.equal(rollout.state, 'done');
  t.equal(workers.filter(({ state }) => state === 'ready').length, 1);
  t.equal((await holdfast.run('reload')).code, 0, 'a later one is answered, too');
});
