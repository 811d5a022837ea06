import t from 'tap';
import { load } from '../../src/native/libc.js';
import { probe } from '../../src/platform/probe.js';
import { createBoundHandle, UV_TCP_REUSEPORT } from '../../src/sockets/handles/handle.js';
import { NO_NATIVE, nativeOf, openFds } from '../fixtures/sockets/support.js';

const native = nativeOf();
const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT } = native.constants;

/** Whether Node's flag does anything here, as the kernel sees it. */
function nodeSetsReusePort(): boolean {
  const handle = createBoundHandle('127.0.0.1', 0, 4, UV_TCP_REUSEPORT);
  if (typeof handle === 'number') return false;
  const value = native.getSockOptInt(handle.fd, SOL_SOCKET, SO_REUSEPORT);
  handle.close();
  return value === 1;
}

t.test("finds Node's own way where there is one, and libc elsewhere", async (t) => {
  const { koffi, reusePort, platform, nodeVersion } = await probe();
  t.match(reusePort, { supported: true, how: nodeSetsReusePort() ? 'node' : 'native', reason: /SO_REUSEPORT/ });
  t.same(koffi, { ok: true, reason: 'koffi is loaded' });
  t.same({ platform, nodeVersion }, { platform: process.platform, nodeVersion: process.version });
});

t.test('does not believe a Node that ignores the option', async (t) => {
  const { koffi, reusePort } = await probe(NO_NATIVE);
  t.same(koffi, NO_NATIVE);
  if (nodeSetsReusePort()) t.match(reusePort, { supported: true, how: 'node' });
  else
    t.match(reusePort, { supported: false, how: null, reason: /by Node: .*EADDRINUSE; by libc: koffi is not there/ });
});

t.test('is not deceived by an option that does not share the port', async (t) => {
  // SO_REUSEADDR in the place of SO_REUSEPORT: set without an error, and of no use.
  const weak = load({ ...native.constants, SO_REUSEPORT: SO_REUSEADDR }, 'koffi');
  const { reusePort } = await probe(weak);
  t.match(
    reusePort,
    nodeSetsReusePort() ? { how: 'node' } : { supported: false, how: null, reason: /by libc: .*EADDRINUSE/ },
  );
});

t.test('says so when libc refuses the option', async (t) => {
  const broken = load({ ...native.constants, SO_REUSEPORT: 9999 }, 'koffi');
  const { reusePort } = await probe(broken);
  t.match(
    reusePort,
    nodeSetsReusePort() ? { how: 'node' } : { supported: false, how: null, reason: /by libc: .*ENOPROTOOPT/ },
  );
});

t.test('is plain data', async (t) => {
  const capabilities = await probe();
  t.same(JSON.parse(JSON.stringify(capabilities)), capabilities);
});

t.test('leaves no socket behind', async (t) => {
  await probe();
  const before = openFds();
  for (let round = 0; round < 5; round += 1) await probe();
  t.equal(openFds(), before);
});
