import path from 'node:path';
import t from 'tap';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
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
