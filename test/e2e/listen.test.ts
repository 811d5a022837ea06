import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { get, overHttp2, overUdp, type Ports, portsIn, serversEnv } from './support/servers.js';

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`servers of every kind listen and answer through a reload, in ${mode} mode`, async (t) => {
    const dir = makeRuntimeDir(t);
    const udpPort = await freePort();
    const holdfast = new Holdfast(t, path.join(apps, 'servers.cjs'), {
      args: ['-i', '2', '--ready', 'message', '--listen-mode', mode],
      env: serversEnv(dir, udpPort),
    });
    await holdfast.message('started');

    const ports = await portsIn(holdfast, 2);
    t.equal(ports.length, 2);
    t.same(ports[0], ports[1], 'all workers share the ports that the first one got');
    t.equal(new Set(Object.values(ports[0] ?? {})).size, 9, 'every server has one of its own');
    await answers(ports[0] as Ports, dir);
    t.equal((await holdfast.run('reload')).code, 0);
    t.same((await portsIn(holdfast, 4))[3], ports[0], 'the next generation has the same');
    await answers(ports[0] as Ports, dir);
    const twice = await holdfast.line(({ msg }) => msg.startsWith('TWICE'));
    t.equal(twice.msg, 'TWICE EADDRINUSE');

    async function answers(ports: Ports, dir: string): Promise<void> {
      const slot = /^slot [01]$/;
      for (const name of ['http', 'again', 'any'] as const) {
        t.match(await get(http, { port: ports[name], host: '127.0.0.1' }), slot, name);
      }
      t.match(await get(http, { port: ports.any, host: '::1' }), slot, 'any, over IPv6');
      t.match(await get(http, { port: ports.v6only, host: '::1' }), slot, 'v6only');
      const refused = get(http, { port: ports.v6only, host: '127.0.0.1' });
      await t.rejects(refused, { code: 'ECONNREFUSED' }, 'v6only does not answer over IPv4');
      t.match(await get(https, { port: ports.https, host: '127.0.0.1', rejectUnauthorized: false }), slot, 'https');
      t.match(await overHttp2(`https://127.0.0.1:${ports.http2}`), slot, 'http2');
      t.match(await overHttp2(`http://127.0.0.1:${ports.h2c}`), slot, 'h2c');
      t.match(await text(net.connect(ports.net, '127.0.0.1')), slot, 'net');
      t.match(await get(http, { socketPath: path.join(dir, 'pipe') }), slot, 'unix socket');
      t.match(await overUdp(udpPort), slot, 'UDP');
    }
  });
}

t.test('Express and Fastify run unchanged', async (t) => {
  for (const example of ['express/server.js', 'fastify/server.cjs']) {
    const port = await freePort();
    const holdfast = new Holdfast(t, path.join('examples', example), {
      args: ['-i', '2'],
      env: { PORT: String(port) },
    });
    await holdfast.message('started');
    const [framework] = example.split('/');
    t.match(JSON.parse(await get(http, { port, host: '127.0.0.1' })), { framework });
    t.equal((await holdfast.run('reload')).code, 0);
    t.match(JSON.parse(await get(http, { port, host: '127.0.0.1' })), { framework });
    t.equal((await holdfast.run('stop')).code, 0);
    t.equal(await holdfast.closed, 0);
  }
});
