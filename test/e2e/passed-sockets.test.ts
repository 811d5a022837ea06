/** Unix sockets and sockets for datagrams that come from outside: of a socket unit, and from the store of a supervisor before. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadNative } from '../../src/native/libc.js';
import { nameOf } from '../../src/sockets/inherit.js';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { Load } from './support/load.js';
import { openUdp, openUnix, passing } from './support/passed.js';
import { udpAsker } from './support/udp-asker.js';

const skip = loadNative().ok ? false : 'the name of a unix socket needs a call to libc';

for (const from of ['unit', 'store']) {
  t.test(`sockets from the ${from} are served, and kept over reload, crash and restart`, { skip }, async (t) => {
    const SOCKET = path.join(makeRuntimeDir(t), 'app.sock');
    const port = await freePort();
    const env = { SOCKET, UDP_PORT: String(port) };
    const named = (key: string) => (from === 'unit' ? 'web' : nameOf({ key, slot: null, index: null }));
    const passed = [
      { name: named(`unix:${SOCKET}`), fd: openUnix(t, SOCKET) },
      { name: named(`udp:127.0.0.1:${port}`), fd: openUdp(t, port) },
    ];
    const ask = await udpAsker(t, port);
    const early = ask('early');
    const load = new Load({ socketPath: SOCKET, fresh: 4, keepAlive: 0 });
    t.teardown(() => load.stop());
    const holdfast = new Holdfast(t, path.join(apps, 'passed.cjs'), { args: ['-i', '2'], env, ...passing(passed) });
    await holdfast.message('started');
    t.match(await early, /^\d+ early$/, 'it was sent before anybody was there');
    t.match((await holdfast.status()).addresses, [
      { kind: 'unix', host: SOCKET, sockets: [{ slot: null }] },
      { kind: 'udp', host: '127.0.0.1', port, sockets: [{ slot: null }] },
    ]);
    t.same(
      holdfast.lines('socket inherited').map(({ address }) => address),
      [`unix:${SOCKET}`, `udp:127.0.0.1:${port}`],
    );
    t.equal((await holdfast.run('reload')).code, 0);
    t.match(await ask('reloaded'), /^\d+ reloaded$/);
    await load.stop();
    t.same(load.errors, {}, load.summary());
    const crashed = holdfast.log.length;
    for (const { pid } of (await holdfast.status()).workers) process.kill(pid ?? 0, 'SIGKILL');
    const patient = new Load({ socketPath: SOCKET, fresh: 4, keepAlive: 0 });
    t.teardown(() => patient.stop());
    const waits = ask('crashed');
    await holdfast.message('worker crashed', crashed);
    t.match(await waits, /^\d+ crashed$/, 'it waits for the next worker');
    t.equal((await holdfast.run('restart')).code, 0);
    t.match(await ask('restarted'), /^\d+ restarted$/);
    await patient.stop();
    t.same(patient.errors, {}, `they wait while nobody is there: ${patient.summary()}`);
    const generations = [...load.answers, ...patient.answers].map(({ generation }) => generation);
    t.equal(new Set(generations).size, 3, 'by all generations');
    t.same(holdfast.lines('nobody listens on a socket that was passed'), []);
    t.equal((await holdfast.run('stop')).code, 0);
    t.equal(existsSync(SOCKET), from === 'unit', 'who has made it removes it');
  });
}

t.test('a socket that is passed and not asked for is warned of', { skip }, async (t) => {
  const dir = makeRuntimeDir(t);
  const port = await freePort();
  const passed = [
    { name: 'web', fd: openUnix(t, path.join(dir, 'other.sock')) },
    { name: 'dns', fd: openUdp(t, port) },
  ];
  const env = { SOCKET: path.join(dir, 'app.sock'), UDP_PORT: String(await freePort()) };
  const holdfast = new Holdfast(t, path.join(apps, 'passed.cjs'), { env, ...passing(passed) });
  await holdfast.line(({ msg, fdName }) => msg === 'nobody listens on a socket that was passed' && fdName === 'dns');
  t.match(holdfast.lines('nobody listens on a socket that was passed'), [
    { fdName: 'web', address: `unix:${dir}/other.sock` },
    { fdName: 'dns', address: `udp:127.0.0.1:${port}` },
  ]);
});

t.test('datagrams of the other family: the error says what the unit needs', { skip }, async (t) => {
  const port = await freePort();
  const env = { SOCKET: path.join(makeRuntimeDir(t), 'app.sock'), UDP_PORT: String(port) };
  const passed = [{ name: 'dns', fd: openUdp(t, port, '::') }];
  const holdfast = new Holdfast(t, path.join(apps, 'passed.cjs'), { env, ...passing(passed) });
  // Whether the start fails by it goes by which of its two addresses the application has first.
  const { reason } = await holdfast.message('worker cannot listen');
  t.match(reason, `ListenDatagram=127.0.0.1:${port}`);
});
