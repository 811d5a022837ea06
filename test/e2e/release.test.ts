import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';
import { get } from './support/servers.js';

const moody = path.join(apps, 'moody.cjs');

for (const [mood, expected] of [
  ['throws', /exited with code 1 before it was ready.*this release is broken/s],
  ['deaf', /not ready within 4 s: it did not listen on any address/],
  ['elsewhere', /not ready within 4 s: it listens on 127\.0\.0\.1:[1-9]\d*, but not on 127\.0\.0\.1:\d+/],
] as const) {
  t.test(`a release that ${mood} is rolled back, and the old one has never stopped`, async (t) => {
    const port = await freePort();
    const moodFile = path.join(t.testdir({ mood: 'good' }), 'mood');
    const holdfast = new Holdfast(t, moody, {
      args: ['-i', '2', '--ready-timeout', '4s'],
      env: { PORT: String(port), MOOD_FILE: moodFile },
    });
    await holdfast.message('started');
    const before = (await holdfast.status()).workers.map((worker) => worker.pid);
    const load = new Load({ port, fresh: 4, keepAlive: 0 });
    t.teardown(() => load.stop());
    writeFileSync(moodFile, mood);
    const { code, stdout, stderr } = await holdfast.run('reload');
    await load.stop();
    t.equal(code, 1);
    t.match(stdout + stderr, expected);
    t.same(load.errors, {});
    const after = await holdfast.settled();
    t.same(
      after.workers.map((worker) => worker.pid),
      before,
      'the same workers serve',
    );
    t.match(after.rollout, { state: 'rolledBack', reason: expected });
    t.equal(after.generation, 1);

    writeFileSync(moodFile, 'good');
    t.equal((await holdfast.run('reload')).code, 0, 'the repaired release takes over');
    t.equal((await holdfast.status()).generation, 3, 'under a number of its own');
  });
}

t.test('a release that goes wrong in the second slot is rolled back in the first one, too', async (t) => {
  const port = await freePort();
  const moodFile = path.join(t.testdir({ mood: 'good' }), 'mood');
  const holdfast = new Holdfast(t, moody, { args: ['-i', '2'], env: { PORT: String(port), MOOD_FILE: moodFile } });
  await holdfast.message('started');
  const load = new Load({ port, fresh: 4, keepAlive: 4 });
  t.teardown(() => load.stop());
  writeFileSync(moodFile, 'slot1-throws');
  const reload = holdfast.run('reload');
  await holdfast.message('rollback started');
  // The old generation's code is the file as it is now, as everywhere where a file is overwritten in place.
  writeFileSync(moodFile, 'good');
  const { code, stdout, stderr } = await reload;
  await load.stop();
  t.equal(code, 1);
  t.match(stdout + stderr, /slot 1 has no luck/);
  t.notOk(load.errors.ECONNREFUSED || load.errors.ECONNRESET || load.errors.timeout, JSON.stringify(load.errors));
  t.same(
    (await holdfast.settled()).workers.map((worker) => worker.generation),
    [1, 1],
  );
});

t.test('a deployment link, the environment file and the configuration are read anew', async (t) => {
  const port = await freePort();
  const dir = t.testdir();
  for (const release of ['one', 'two']) {
    mkdirSync(path.join(dir, release));
    writeFileSync(
      path.join(dir, release, 'app.cjs'),
      `require('node:http').createServer((q, r) => r.end(JSON.stringify({ release: '${release}', cwd: process.cwd(),
        file: __filename, value: process.env.VALUE, args: process.argv.slice(2) }))).listen(${port}, '127.0.0.1');`,
    );
    writeFileSync(path.join(dir, release, '.env'), `VALUE=of-${release}\n`);
  }
  symlinkSync('one', path.join(dir, 'current'));
  const config = path.join(dir, 'shop.json');
  const write = (instances: number, args: string[]) =>
    writeFileSync(
      config,
      JSON.stringify({ script: 'app.cjs', cwd: 'current', envFile: 'current/.env', instances, args }),
    );
  write(1, ['first']);
  const holdfast = new Holdfast(t, config);
  await holdfast.message('started');
  const one = { release: 'one', cwd: path.join(dir, 'one'), value: 'of-one', args: ['first'] };
  t.match(await ask(port), one);

  symlinkSync('two', path.join(dir, 'next'));
  renameSync(path.join(dir, 'next'), path.join(dir, 'current'));
  write(2, ['second']);
  const [worker] = (await holdfast.status()).workers;
  const at = holdfast.log.length;
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  await holdfast.message('worker ready', at);
  t.match(
    await ask(port),
    { release: 'one', args: ['first'] },
    'a crash is replaced by the code of its own generation',
  );

  t.equal((await holdfast.run('reload')).code, 0);
  t.match(await ask(port), { release: 'two', cwd: path.join(dir, 'two'), value: 'of-two', args: ['second'] });
  await holdfast.line(({ msg, slot }) => msg === 'worker ready' && slot === 1);
  t.equal((await holdfast.status()).size, 2, 'the size of the new configuration');

  writeFileSync(config, '{ "script": "app.cjs", "instances": "many" }');
  const { code, stdout, stderr } = await holdfast.run('reload');
  t.equal(code, 1);
  t.match(stdout + stderr, /instances.*many/s, 'a broken configuration changes nothing and says what is wrong');
  t.match(await ask(port), { release: 'two' });
});

t.test('ready comes by message where that is asked for', async (t) => {
  const port = await freePort();
  const script = path.join(
    t.testdir({
      'app.cjs': `const http = require('node:http');
        const say = () => process.send('ready');
        const server = http.createServer((q, r) => r.end('{}', q.url === '/say' ? say : undefined));
        server.listen(${port}, '127.0.0.1', () => process.env.HOLDFAST_GENERATION > 1 && say());`,
    }),
    'app.cjs',
  );
  const holdfast = new Holdfast(t, script, { args: ['-i', '1', '--ready', 'message'] });
  await holdfast.message('worker bound');
  await get(http, { port, host: '127.0.0.1' });
  // Longer than it takes to count as listening.
  await delay(300);
  t.match((await holdfast.status()).workers, [{ state: 'starting' }], 'not when it listens');
  await get(http, { port, host: '127.0.0.1', path: '/say' });
  await holdfast.message('worker ready');
  t.equal((await holdfast.run('reload')).code, 0);
});
