import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../support/ports.js';
import { makeFolder, runPlain, runPreloaded, type Setup } from '../support/preloaded.js';

const { EACCES, EADDRINUSE } = os.constants.errno;

/** What a server tells of itself, a line each. */
const TELL = `
  const net = require('node:net');
  const tell = (name, server) => {
    server.on('error', (error) => {
      console.log(name, JSON.stringify([error.message, error.code, error.syscall, error.address, error.port]));
    });
    server.on('listening', () => console.log(name, 'listens', JSON.stringify(server.address())));
    return server.on('close', () => console.log(name, 'closed'));
  };
  process.on('uncaughtException', (error) => console.log('uncaught', error.stack));
`;

async function sameAsPlain(t: Test, script: string, setup: Setup = {}): Promise<readonly string[]> {
  const plain = await runPlain(t, script, setup);
  const worker = await runPreloaded(t, script, setup);
  t.same([...worker.lines].sort(), [...plain.lines].sort(), worker.stderr);
  return worker.lines;
}

t.test('an address that is taken is refused as by plain node', async (t) => {
  const port = await freePort();
  const taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(port, resolve));
  t.teardown(() => void taken.close());
  const errnoOf = () => -EADDRINUSE;
  for (const where of [`${port}`, `{ port: ${port}, host: '127.0.0.1' }`, `{ port: ${port}, exclusive: true }`]) {
    const lines = await sameAsPlain(t, `${TELL} tell('one', net.createServer()).listen(${where});`, { errnoOf });
    t.match(lines[0], /listen EADDRINUSE: address already in use \S/, where);
  }
  const lines = await sameAsPlain(t, `${TELL} tell('http', require('node:http').createServer()).listen(${port});`, {
    errnoOf,
  });
  t.match(lines, [/"EADDRINUSE","listen"/]);
});

t.test('what else is refused names the same address as plain node', async (t) => {
  const missing = path.join(makeFolder(t), 'missing', 'app');
  const script = `${TELL} tell('one', net.createServer()).listen(${JSON.stringify(missing)});`;
  t.match(await sameAsPlain(t, script), [/listen EACCES/]);
  const { lines } = await runPreloaded(t, `${TELL} tell('one', net.createServer()).listen(80);`, {
    errnoOf: () => -EACCES,
  });
  // As Node, which has tried IPv4 after IPv6.
  t.match(lines, [/"listen EACCES: permission denied 0.0.0.0:80","EACCES","listen","0.0.0.0",80/]);
});

t.test('a path that no address of a socket has room for is refused, as by newer Nodes', async (t) => {
  const name = path.join(makeFolder(t), 'x'.repeat(100));
  const script = `${TELL} tell('one', net.createServer()).listen(${JSON.stringify(name)});`;
  const { lines, told } = await runPreloaded(t, script);
  t.match(lines, [/"EINVAL","listen"/]);
  t.notOk(told.some(({ type }) => type === 'share'));
  // Node 20 and 22 listen at as much of it as there is room for, where nobody looks.
  if (!/^v2[02]\./.test(process.version)) await sameAsPlain(t, script);
});

t.test('a server that is closed before its refusal comes is closed, and nothing else', async (t) => {
  const port = await freePort();
  for (const where of [`${port}`, JSON.stringify(path.join(makeFolder(t), 'app'))]) {
    const script = `${TELL} tell('one', net.createServer()).listen(${where}).close();`;
    const { lines } = await runPreloaded(t, script, { errnoOf: () => -EADDRINUSE });
    t.same(lines, ['one closed'], where);
  }
});

t.test('a server that listens, closes and listens again in one turn listens, as by plain node', async (t) => {
  const port = await freePort();
  for (const where of [`${port}`, JSON.stringify(path.join(makeFolder(t), 'app'))]) {
    const script = `${TELL}
      const one = tell('one', net.createServer()).listen(${where});
      one.close();
      one.listen(${where}, () => one.close());`;
    const lines = await sameAsPlain(t, script);
    t.match(lines, [/one closed/, /one listens/, /one closed/], where);
  }
});

t.test('a server that was closed before it listened is in the way of no other one', async (t) => {
  const port = await freePort();
  const script = `${TELL}
    tell('one', net.createServer()).listen(${port}).close();
    const other = tell('other', net.createServer());
    other.listen(${port}, '127.0.0.1', () => other.close());`;
  const lines = await sameAsPlain(t, script);
  t.equal(lines.filter((line) => line.startsWith('other listens')).length, 1);
});

t.test('two servers on one address in one process are an error, as by plain node', async (t) => {
  const port = await freePort();
  for (const where of [`${port}`, JSON.stringify(path.join(makeFolder(t), 'app'))]) {
    const script = `${TELL}
      const one = tell('one', net.createServer()).listen(${where}, () => one.close());
      tell('other', net.createServer()).listen(${where});`;
    t.match((await sameAsPlain(t, script)).join(), /other .*EADDRINUSE/, where);
  }
});
