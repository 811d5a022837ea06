import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import t from 'tap';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { freePort } from './support/ports.js';
import { portsIn, serversEnv } from './support/servers.js';

type Version = 'TLSv1.2' | 'TLSv1.3';

/** One request over a connection of its own. The session that the server gave can be used for the next one. */
async function visit(port: number, version: Version, session?: Buffer) {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...(session && { session }),
  });
  let given = session;
  socket.on('session', (next: Buffer) => {
    given = next;
  });
  await once(socket, 'secureConnect');
  const resumed = socket.isSessionReused();
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const answer = await text(socket);
  return { resumed, session: given, slot: /slot (\d)/.exec(answer)?.[1] };
}

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`a session is resumed by every worker and through reloads, in ${mode} mode`, async (t) => {
    const dir = makeRuntimeDir(t);
    const holdfast = new Holdfast(t, path.join(apps, 'servers.cjs'), {
      args: ['-i', '2', '--surge', '100%', '--ready', 'message', '--listen-mode', mode],
      env: serversEnv(dir, await freePort()),
    });
    await holdfast.message('started');
    const [ports] = await portsIn(holdfast, 1);
    if (ports === undefined) throw new Error('no ports');
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await visit(ports.https, version);
      t.equal(first.resumed, false);
      let { session } = first;
      const slots = new Set<string | undefined>();
      while (slots.size < 2) {
        const next = await visit(ports.https, version, session);
        t.equal(next.resumed, true, `${version}, slot ${next.slot}`);
        slots.add(next.slot);
        session = next.session;
      }
      for (let i = 0; i < 5; i++) {
        t.equal((await holdfast.run('reload')).code, 0);
        const next = await visit(ports.https, version, session);
        t.equal(next.resumed, true, `${version} after a reload`);
        session = next.session;
      }
    }
    t.notMatch(JSON.stringify([holdfast.log, await holdfast.status()]), /ticketKey/, 'the key is nowhere to be read');
  });
}

t.test('by itself a session is resumed by nobody else', async (t) => {
  const { TLS_KEY = '', TLS_CERT = '' } = serversEnv(t.testdir({}), 0);
  const start = async () => {
    const options = { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) };
    const server = https.createServer(options, (_request, response) => response.end('slot 0')).listen(0, '127.0.0.1');
    t.teardown(() => server.close());
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const [one, other] = [await start(), await start()];
  const { session } = await visit(one, 'TLSv1.3');
  t.equal((await visit(one, 'TLSv1.3', session)).resumed, true);
  t.equal((await visit(other, 'TLSv1.3', session)).resumed, false);
});
