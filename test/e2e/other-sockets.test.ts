import path from 'node:path';
import t from 'tap';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { Load } from './support/load.js';
import { freePort } from './support/ports.js';

t.test('a program whose first wait is a unix socket or UDP stays', async (t) => {
  const dir = makeRuntimeDir(t);
  const programs = [
    { KIND: 'unix', ADDRESS: path.join(dir, 'app') },
    { KIND: 'udp', ADDRESS: String(await freePort()) },
    { KIND: 'udp', ADDRESS: '0' },
  ];
  for (const env of programs) {
    const holdfast = new Holdfast(t, path.join(apps, 'first-wait.cjs'), { args: ['--ready', 'message'], env });
    await holdfast.message('started');
    const { workers } = await holdfast.status();
    t.match(workers, [{ state: 'ready', restarts: 0 }], `${env.KIND} ${env.ADDRESS}`);
    t.equal((await holdfast.run('stop')).code, 0);
  }
});

for (const OPTION of ['exclusive', 'reusePort']) {
  t.test(`a server that listens with ${OPTION} is shared, and reloaded without loss`, async (t) => {
    const SOCKET = path.join(makeRuntimeDir(t), 'app');
    const port = await freePort();
    const env = { OPTION, PORT: String(port), SOCKET };
    const holdfast = new Holdfast(t, path.join(apps, 'exclusive.cjs'), { args: ['-i', '2'], env });
    await holdfast.message('started');
    const load = new Load({ port, fresh: 8, keepAlive: 8 });
    t.teardown(() => load.stop());
    for (let times = 0; times < 3; times++) t.equal((await holdfast.run('reload')).code, 0);
    await load.stop();
    t.same(load.errors, {}, load.summary());
    t.equal(new Set(load.answers.map(({ generation }) => generation)).size, 4, 'by all generations');
    const again = holdfast.log.filter(({ msg }) => msg.startsWith('AGAIN'));
    t.equal(again[0]?.msg, `AGAIN EADDRINUSE ${port}`, 'twice in one process is an error, as under plain node');
    t.equal((await holdfast.run('stop')).code, 0);
  });
}
