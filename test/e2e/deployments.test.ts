import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';

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

t.test('a reload that is refused, or ended by hand before it began, leaves no trace', async (t) => {
  const port = await freePort();
  const dir = t.testdir({ mood: 'good' });
  const command = `if [ -e ${dir}/wait ]; then echo waits; sleep 60 & wait; fi; exit 3`;
  const holdfast = new Holdfast(t, path.join(apps, 'release.cjs'), {
    args: ['-i', '1', '--before-reload', command],
    env: { PORT: String(port), MOOD_FILE: path.join(dir, 'mood') },
  });
  await holdfast.message('started');
  const told = async () => {
    const { script, generation, rollout, workers } = await holdfast.status();
    return { script, generation, rollout, pids: workers.map(({ pid }) => pid) };
  };
  const before = await told();
  const refused = await holdfast.run('reload');
  t.equal(refused.code, 1);
  t.match(refused.stderr, /exit code 3/);
  t.same(await told(), before);
  writeFileSync(path.join(dir, 'wait'), '');
  const waiting = holdfast.run('reload');
  await holdfast.message('waits');
  t.equal((await holdfast.run('reload', '--abort')).code, 0);
  t.match(await waiting, { code: 1, stderr: /aborted by hand/ });
  t.same(await told(), before);
});

t.test('of many reloads with long drains only a few workers are left to drain', async (t) => {
  const port = await freePort();
  const dir = t.testdir({ mood: 'good' });
  const holdfast = new Holdfast(t, path.join(apps, 'release.cjs'), {
    args: ['-i', '1', '--max-draining', '2', '--drain-timeout', '10m', '--spread', '10m', '--kill-timeout', '1s'],
    env: { PORT: String(port), MOOD_FILE: path.join(dir, 'mood') },
  });
  await holdfast.message('started');
  const held: http.ClientRequest[] = [];
  t.teardown(() => {
    for (const request of held) request.destroy();
  });
  for (let reload = 0; reload < 4; reload++) {
    // A request whose body never ends keeps its worker, once that has it.
    const headers = { expect: '100-continue' };
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', headers, agent: false });
    request.on('error', () => {});
    request.flushHeaders();
    await once(request, 'continue');
    held.push(request);
    const ready = holdfast.log.length;
    void holdfast.run('reload');
    // Until then it accepts, and the next request might be its own.
    await holdfast.message('worker closed', ready);
  }
  await holdfast.message('drain cut short');
  await holdfast.line(({ msg, worker }) => msg === 'worker exited' && worker === 2);
  const states = (await holdfast.status()).workers.map(({ state }) => state);
  t.same(states.sort(), ['draining', 'draining', 'ready']);
});
