import { spawn } from 'node:child_process';
import dgram, { type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';

const datagrams = path.join(apps, 'datagrams.cjs');

async function openUdp(t: Test): Promise<Socket> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  return socket;
}

t.test('a UDP server is ready when it is bound, and datagrams wait for its successor', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, datagrams, { env: { PORT: String(port) } });
  await holdfast.message('started');
  t.match((await holdfast.status()).addresses, [{ kind: 'udp', host: '127.0.0.1', port, sockets: [{ slot: null }] }]);
  t.match((await holdfast.run('status')).stdout, `udp 127.0.0.1:${port}`);
  const client = await openUdp(t);
  const answer = async (text: string) => {
    client.send(text, port, '127.0.0.1');
    const [message] = (await once(client, 'message')) as [Buffer];
    return String(message);
  };
  t.match(await answer('first'), /^\d+ first$/);
  const [{ pid } = { pid: null }] = (await holdfast.status()).workers;
  process.kill(pid ?? 0, 'SIGSTOP');
  const waits = answer('second');
  process.kill(pid ?? 0, 'SIGKILL');
  t.match(await waits, /^\d+ second$/, 'it was sent when nobody received');
  t.equal((await holdfast.reload()).code, 0);
  t.match(await answer('third'), /^\d+ third$/);
  t.equal((await holdfast.restart()).code, 0);
  t.match(await answer('fourth'), /^\d+ fourth$/);
});

t.test('a restart takes over another host of a port, and a reload says that it takes one', async (t) => {
  const port = await freePort();
  const file = path.join(t.testdir(), 'address.json');
  const move = (host: string) => writeFileSync(file, JSON.stringify({ host, port }));
  move('127.0.0.1');
  const holdfast = new Holdfast(t, path.join(apps, 'udp-host.cjs'), { args: ['-i', '2'], env: { ADDRESS: file } });
  await holdfast.message('started');
  const client = await openUdp(t);
  const answer = async (text: string) => {
    client.send(text, port, '127.0.0.1');
    const [message] = (await once(client, 'message')) as [Buffer];
    return String(message);
  };
  t.equal(await answer('a'), '1 a');
  let generation = 1;
  for (const host of ['0.0.0.0', '::', '127.0.0.1']) {
    move(host);
    generation += 1;
    t.match(await holdfast.restart(), { code: 0 }, host);
    t.equal(await answer(host), `${generation} ${host}`);
    t.same(
      (await holdfast.status()).addresses.map((address) => address.host),
      [host],
      'the other one is closed',
    );
  }
  move('0.0.0.0');
  const { code, stdout, stderr } = await holdfast.run('reload');
  t.equal(code, 1);
  t.match(
    stdout + stderr,
    new RegExp(`cannot listen on udp:0.0.0.0:${port}: .*udp:127.0.0.1:${port} is served.*restart`),
  );
  t.equal(await answer('b'), '4 b');
});

for (const OPTION of ['exclusive', 'reusePort']) {
  t.test(`what is done with UDP sockets comes out as under plain Node, and ${OPTION} is shared`, async (t) => {
    const script = path.join(apps, 'udp-ways.cjs');
    const ports = [await freePort(), await freePort(), await freePort()].map(String);
    const env = { OPTION, PORT: ports[0]!, OTHER: ports[1]!, GROUP: '239.255.77.8', GROUP_PORT: ports[2]! };
    const plain = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(plain, 'close');
    const [expected] = (await once(createInterface(plain.stdout), 'line')) as [string];
    plain.kill('SIGKILL');
    await ended;
    // Not when it first listens: of what it closes again, some is open for long on a busy machine.
    const holdfast = new Holdfast(t, script, { args: ['-i', '2', '--ready', 'message'], env });
    const client = await openUdp(t);
    let from = 0;
    for (const generation of [1, 2, 3]) {
      if (generation > 1) t.equal((await holdfast.reload()).code, 0);
      else await holdfast.message('started');
      for (let i = 0; i < 2; i++) {
        const line = await holdfast.line(({ msg }) => msg.startsWith('WAYS'), from);
        t.same(JSON.parse(line.msg.slice(5)), JSON.parse(expected.slice(5)), `generation ${generation}`);
        from = holdfast.log.indexOf(line) + 1;
      }
      client.send('a', Number(ports[0]), '127.0.0.1');
      const [message] = (await once(client, 'message')) as [Buffer];
      t.equal(String(message), `${generation} a`);
    }
    const { addresses } = await holdfast.status();
    const shared = addresses.filter((address) => address.port === Number(ports[0]));
    t.match(shared, [{ kind: 'udp', sockets: [{ slot: null }] }], 'it is in custody');
    t.match((await holdfast.settled()).workers, [{ restarts: 0 }, { restarts: 0 }]);
  });
}

t.test('a member of a multicast group that is on trial answers nothing that its predecessor has', async (t) => {
  const port = await freePort();
  const GROUP = '239.255.77.9';
  const sender = await openUdp(t);
  sender.setMulticastInterface('127.0.0.1');
  const env = { GROUP, GROUP_PORT: String(port), REUSE: '1' };
  const holdfast = new Holdfast(t, datagrams, { args: ['--trial', '6s'], env });
  await holdfast.message('started');
  const from = holdfast.log.length;
  const reload = holdfast.run('reload');
  await holdfast.message('worker ready', from);
  sender.send('trial', port, GROUP);
  await holdfast.line(({ msg }) => msg === 'GOT trial 0 1', from);
  t.equal((await reload).code, 0);
  sender.send('after', port, GROUP);
  await holdfast.line(({ msg }) => msg === 'GOT after 0 2', from);
  t.same(
    holdfast.log.filter(({ msg }) => msg.startsWith('GOT ')).map(({ msg }) => msg),
    ['GOT trial 0 1', 'GOT after 0 2'],
  );
});

t.test('answers come to the worker that has asked, from a port of its own or connected', async (t) => {
  const server = await openUdp(t);
  server.on('message', (message, { port, address }) => server.send(message, port, address));
  const env = { ASK: String(server.address().port) };
  const holdfast = new Holdfast(t, datagrams, { args: ['-i', '3', '--ready', 'running'], env });
  for (let count = 0, from = 0; count < 6; count++) {
    const line = await holdfast.line(({ msg }) => msg.startsWith('ANSWERS'), from);
    t.equal(line.msg, 'ANSWERS 20 0');
    from = holdfast.log.indexOf(line) + 1;
  }
  t.same((await holdfast.status()).addresses, [], 'nothing of it is in custody');
});

t.test('a socket that is bound and then connected has its peer for itself, and can be reloaded', async (t) => {
  const port = await freePort();
  const peers = [await openUdp(t), await openUdp(t)];
  for (const peer of peers) peer.on('message', (message, from) => peer.send(message, from.port, from.address));
  const env = { FROM: String(port), PEERS: peers.map((peer) => peer.address().port).join() };
  const holdfast = new Holdfast(t, datagrams, { args: ['-i', '2'], env });
  const answered = async (from: number) => {
    let at = from;
    for (let i = 0; i < 2; i++) {
      const line = await holdfast.line(({ msg }) => msg.startsWith('ANSWERED'), at);
      t.equal(line.msg, 'ANSWERED true');
      at = holdfast.log.indexOf(line) + 1;
    }
  };
  await answered(0);
  const stranger = await openUdp(t);
  stranger.send('stranger', port, '127.0.0.1');
  for (let times = 0; times < 2; times++) {
    const from = holdfast.log.length;
    t.equal((await holdfast.reload()).code, 0);
    await answered(from);
  }
  const answers = holdfast.log.flatMap(({ msg }) => (msg.startsWith('ANSWER ') ? [msg.split(' ')] : []));
  t.equal(answers.length, 3 * 2 * 20);
  t.ok(
    answers.every((answer) => answer.at(-1) === 'true'),
    'none of another one’s peer, nor of a stranger',
  );
  t.match((await holdfast.settled()).workers, [{ restarts: 0 }, { restarts: 0 }]);
});

t.test('a member of a multicast group has a socket of its own, and can be reloaded', async (t) => {
  const port = await freePort();
  const group = '239.255.77.7';
  const sender = await openUdp(t);
  sender.setMulticastInterface('127.0.0.1');
  for (const REUSE of ['1', '0']) {
    const env = { GROUP: group, GROUP_PORT: String(port), REUSE };
    const args = ['-i', REUSE === '1' ? '2' : '1'];
    const holdfast = new Holdfast(t, datagrams, { args, env });
    await holdfast.message('started');
    const got = async (text: string, from: number) => {
      const lines: string[] = [];
      sender.send(text, port, group);
      for (let at = from; lines.length < (REUSE === '1' ? 2 : 1); ) {
        const line = await holdfast.line(({ msg }) => msg.startsWith(`GOT ${text} `), at);
        lines.push(line.msg);
        at = holdfast.log.indexOf(line) + 1;
      }
      return lines.sort();
    };
    const slots = REUSE === '1' ? [0, 1] : [0];
    await joined(holdfast, slots.length);
    t.same(
      await got('one', 0),
      slots.map((slot) => `GOT one ${slot} 1`),
      'every worker, as under plain node',
    );
    const from = holdfast.log.length;
    t.equal((await holdfast.reload()).code, 0);
    await joined(holdfast, slots.length, from);
    t.same(
      await got('two', from),
      slots.map((slot) => `GOT two ${slot} 2`),
    );
    t.equal((await holdfast.stop()).code, 0);
  }
});

async function joined(holdfast: Holdfast, count: number, from = 0): Promise<void> {
  let at = from;
  for (let i = 0; i < count; i++) {
    const line = await holdfast.line(({ msg }) => msg === 'JOINED', at);
    at = holdfast.log.indexOf(line) + 1;
  }
}
