/** Applications that listen elsewhere than before, and addresses of one session. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { BEGINS_MS } from '../../src/core/rollout/addresses.js';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';
import { get } from './support/servers.js';

const script = path.join(apps, 'addresses.cjs');

/** Listens at what `move` has written last. */
async function application(t: Test, mode: string, host: string) {
  const port = await freePort();
  const file = path.join(t.testdir(), 'address.json');
  const move = (host: string, to = port) => writeFileSync(file, JSON.stringify({ host, port: to }));
  move(host);
  const args = ['-i', '2', '--listen-mode', mode, '--ready', 'message', '--ready-timeout', '20s'];
  const holdfast = new Holdfast(t, script, { args, env: { ADDRESS: file } });
  await holdfast.message('started');
  return { holdfast, port, move };
}

async function outcome(port: number, host: string): Promise<string> {
  try {
    return String(JSON.parse(await get(http, { port, host })).generation);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`a restart takes over any other host, and back, in ${mode} mode`, async (t) => {
    const { holdfast, port, move } = await application(t, mode, '127.0.0.1');
    let generation = 1;
    for (const host of ['0.0.0.0', '127.0.0.1', '::', '0.0.0.0', '::', '127.0.0.1', '127.0.0.2', '127.0.0.1']) {
      move(host);
      generation += 1;
      const from = Date.now();
      t.match(await holdfast.restart(), { code: 0 }, host);
      const tookMs = Date.now() - from;
      t.ok(tookMs < 10_000, `to ${host} in ${tookMs} ms`);
      const reached = host === '127.0.0.2' ? '127.0.0.2' : '127.0.0.1';
      t.equal(await outcome(port, reached), String(generation), `${host} answers`);
      t.equal(await outcome(port, '::1'), host === '::' ? String(generation) : 'ECONNREFUSED', `${host} over IPv6`);
    }
    const elsewhere = await freePort();
    move('127.0.0.1', elsewhere);
    t.match(await holdfast.restart(), { code: 0 });
    t.equal(await outcome(elsewhere, '127.0.0.1'), String(generation + 1));
    t.equal(await outcome(port, '127.0.0.1'), 'ECONNREFUSED', 'the old port');
  });
}

t.test('a reload takes over a wider host without loss, and refuses a narrower one with the reason', async (t) => {
  const { holdfast, port, move } = await application(t, 'reuseport', '127.0.0.1');
  const load = new Load({ port, fresh: 16, keepAlive: 8 });
  for (const host of ['0.0.0.0', '::']) {
    move(host);
    t.match(await holdfast.reload(), { code: 0 }, host);
    t.match(await holdfast.reload(), { code: 0 }, `${host}, once more`);
  }
  t.equal(await outcome(port, '::1'), '5');
  move('127.0.0.3');
  const refused = await holdfast.run('reload');
  t.equal(refused.code, 1);
  t.match(
    refused.stderr + refused.stdout,
    /cannot listen on 127\.0\.0\.3:\d+: it is a part of .*, which is served.*restart/,
  );
  await load.stop();
  t.same(load.errors, {}, load.summary());
  move('127.0.0.1');
  t.match(await holdfast.restart(), { code: 0 });
  t.equal(await outcome(port, '127.0.0.1'), '7');
  t.equal(await outcome(port, '::1'), 'ECONNREFUSED');
});

t.test('in reuseaddr mode a reload to another host is refused with the reason, and costs nothing', async (t) => {
  const { holdfast, port, move } = await application(t, 'reuseaddr', '127.0.0.1');
  const load = new Load({ port, fresh: 16, keepAlive: 8 });
  move('0.0.0.0');
  const refused = await holdfast.run('reload');
  t.equal(refused.code, 1);
  t.match(refused.stderr + refused.stdout, /127\.0\.0\.1:\d+ is served, and without SO_REUSEPORT .*restart/);
  t.equal(await outcome(port, '127.0.0.1'), '1');
  await load.stop();
  t.same(load.errors, {}, load.summary());
});

t.test('a port that is opened for a session is not asked of the next generation', async (t) => {
  for (const mode of ['reuseport', 'reuseaddr']) {
    const port = await freePort();
    const passive = await freePort();
    const holdfast = new Holdfast(t, script, {
      args: ['-i', '1', '--listen-mode', mode, '--ready-timeout', '20s'],
      env: { PORT: String(port), HOST: '127.0.0.1' },
    });
    await holdfast.message('started');
    // What is opened right after the start is taken for a part of it.
    await delay(BEGINS_MS + 100);
    await get(http, { port, host: '127.0.0.1', path: `/open?${passive}` });
    await holdfast.line((line) => line.msg === 'worker bound' && line.address === `127.0.0.1:${passive}`);
    t.equal(await text(net.connect(passive, '127.0.0.1')), 'data');
    t.match(await holdfast.reload(), { code: 0 }, mode);
    const socket = net.connect(passive, '127.0.0.1');
    const [error] = await once(socket, 'error');
    t.match(error, { code: 'ECONNREFUSED' }, 'its clients are not left to wait');
  }
});
