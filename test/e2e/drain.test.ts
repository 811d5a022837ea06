import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast } from './support/holdfast.js';

const require = createRequire(import.meta.url);
const moody = path.join(apps, 'moody.cjs');

function application(t: Test, code: string): string {
  return path.join(t.testdir({ 'app.cjs': code }), 'app.cjs');
}

t.test('an application that only closes its server on SIGTERM ends by itself, idle clients or not', async (t) => {
  const port = await freePort();
  const script = application(
    t,
    `const server = require('node:http').createServer((q, r) => r.end('{}')).listen(${port}, '127.0.0.1');
     server.keepAliveTimeout = 60_000;
     process.on('SIGTERM', () => server.close(() => console.log('closed')));
     process.on('exit', () => console.log('clean exit'));`,
  );
  const holdfast = new Holdfast(t, script, { args: ['-i', '1', '--drain-timeout', '300ms', '--kill-timeout', '20s'] });
  await holdfast.message('started');
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [http.IncomingMessage];
  await text(response);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
  const exited = holdfast.lines('worker exited')[0];
  t.match(exited, { code: 0, signal: null }, 'neither by a signal nor by force');
  t.same(
    holdfast.log.filter((line) => line.stream === 'stdout').map(({ msg }) => msg),
    ['closed', 'clean exit'],
  );
});

t.test(
  'while it drains each answer is the last of its connection, whatever header the application gives',
  async (t) => {
    const port = await freePort();
    const script = application(
      t,
      `require('node:http').createServer((q, r) => {
       if (q.url === '/header') r.setHeader('Connection', 'keep-alive');
       if (q.url === '/object') r.writeHead(200, 'fine', { connection: 'Keep-Alive', 'x-kept': 'yes' });
       if (q.url === '/list') r.writeHead(200, ['Connection', 'keep-alive', 'x-kept', 'yes']);
       r.end('{}');
     }).listen(${port}, '127.0.0.1');`,
    );
    const holdfast = new Holdfast(t, script, { args: ['-i', '1'] });
    await holdfast.message('started');
    const paths = ['/plain', '/header', '/object', '/list'];
    const get = async (agent: http.Agent, url: string) => {
      const request = http.get({ port, host: '127.0.0.1', path: url, agent });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      await text(response);
      return response.headers;
    };
    const agents = paths.map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    t.teardown(() => {
      for (const agent of agents) agent.destroy();
    });
    for (const [i, url] of paths.entries()) t.match(await get(agents[i]!, url), { connection: /^keep-alive$/i }, url);
    const stopped = holdfast.run('stop');
    await holdfast.message('worker closed');
    for (const [i, url] of paths.entries()) {
      const headers = await get(agents[i]!, url);
      t.match(headers, { connection: 'close' }, `${url} while it drains`);
      if (url === '/object' || url === '/list') t.equal(headers['x-kept'], 'yes', 'its other headers stay');
    }
    t.equal((await stopped).code, 0);
  },
);

t.test('a worker that does not end is cut off: drain timeout, kill timeout, SIGKILL', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, moody, {
    args: ['-i', '1', '--drain-timeout', '200ms', '--kill-timeout', '200ms'],
    env: { PORT: String(port), MOOD: 'stubborn' },
  });
  await holdfast.message('started');
  const held = ask(port, '/slow').then(
    () => 'answered',
    () => 'cut off',
  );
  while ((await holdfast.status()).workers[0]?.connections !== 1);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await held, 'cut off');
  const steps = ['worker draining', 'worker closed', 'drain timeout', 'kill timeout', 'worker exited'];
  t.same(
    holdfast.log.map(({ msg }) => msg).filter((msg) => steps.includes(msg)),
    steps,
  );
  t.equal(holdfast.lines('worker exited')[0]?.signal, 'SIGKILL');
});

t.test('what is still open when the drain is over is in the log and in the status, without its query', async (t) => {
  const port = await freePort();
  const script = application(
    t,
    `require('node:http').createServer((q, r) => {
       if (q.url === '/') r.end('{}');
       else r.write('it never ends');
     }).listen(${port}, '127.0.0.1');
     // Busy at the very moment at which it is to say what is open.
     process.on('message', (word) => {
       if (word !== 'shutdown') return;
       setTimeout(() => { for (const end = Date.now() + 600; Date.now() < end; ); }, 300);
     });`,
  );
  const holdfast = new Holdfast(t, script, {
    args: ['-i', '1', '--drain-timeout', '500ms', '--kill-timeout', '5s', '--shutdown-message', 'early'],
  });
  await holdfast.message('started');
  const [response] = (await once(
    http.get({ port, host: '127.0.0.1', path: '/endless?token=secret', agent: false }),
    'response',
  )) as [http.IncomingMessage];
  const cut = text(response).then(
    () => 'ended',
    () => 'cut off',
  );
  t.equal((await holdfast.run('reload')).code, 0);
  t.equal(await cut, 'cut off');
  const line = await holdfast.message('connections still open');
  t.match(line, {
    level: 'warn',
    slot: 0,
    worker: 1,
    generation: 1,
    counts: { http1: 1 },
    connections: [{ kind: 'http1', ageMs: Number, remote: /^127\.0\.0\.1 \d+$/, path: '/endless' }],
  });
  t.notMatch(JSON.stringify(holdfast.log), /secret/);
  t.same((await holdfast.status()).cutOff, { http1: 1 });
  t.match((await holdfast.run('status')).stdout, /cut off +1 http1/);
});

t.test('WebSockets of a slot that goes hear 1001, and what nobody knows goes on until the drain is over', async (t) => {
  const port = await freePort();
  const script = application(
    t,
    `const { WebSocketServer } = require(${JSON.stringify(require.resolve('ws'))});
     const server = require('node:http').createServer().listen(${port}, '127.0.0.1');
     const sockets = new WebSocketServer({ noServer: true });
     server.on('upgrade', (request, socket, head) => {
       if (request.url === '/known') return sockets.handleUpgrade(request, socket, head, (one) => one.send('hello'));
       socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n');
       socket.on('data', (chunk) => socket.write(chunk));
     });`,
  );
  const args = ['-i', '1', '--drain-timeout', '5s', '--spread', '100ms'];
  const holdfast = new Holdfast(t, script, { args });
  await holdfast.message('started');
  const known = new WebSocket(`ws://127.0.0.1:${port}/known`);
  await once(known, 'message');
  const code = once(known, 'close').then(([code]) => code as number);
  const unknown = net.connect(port, '127.0.0.1');
  unknown.write('GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  await once(unknown, 'data');
  const stopped = holdfast.run('stop');
  t.equal(await code, 1001);
  unknown.write('still there?');
  t.match(String(await once(unknown, 'data')), 'still there?');
  t.equal((await stopped).code, 0);
  t.match(await holdfast.message('connections still open'), { counts: { upgraded: 1 } });
});

t.test('an application that keeps its WebSockets closes them itself', async (t) => {
  const port = await freePort();
  const script = application(
    t,
    `const { WebSocketServer } = require(${JSON.stringify(require.resolve('ws'))});
     const server = require('node:http').createServer().listen(${port}, '127.0.0.1');
     const sockets = new WebSocketServer({ server });
     sockets.on('connection', (one) => one.send('hello'));
     globalThis[Symbol.for('holdfast.worker')].onDrain(async ({ keepUpgraded }) => {
       keepUpgraded();
       await new Promise((done) => setTimeout(done, 300));
       for (const one of sockets.clients) one.close(4000, 'by the application');
     });`,
  );
  const holdfast = new Holdfast(t, script, { args: ['-i', '1', '--spread', '0'] });
  await holdfast.message('started');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'message');
  const code = once(socket, 'close').then(([code]) => code as number);
  t.equal((await holdfast.run('reload')).code, 0);
  t.equal(await code, 4000);
});

for (const [when, args, code, order] of [
  ['when nothing is under way any more', [], '', ['begun', 'answered', 'told']],
  [
    'at the beginning of the drain where that is asked for',
    ['--shutdown-message', 'early'],
    '',
    ['begun', 'told', 'answered'],
  ],
  [
    'at the beginning of the drain where the application takes part in it',
    [],
    "globalThis[Symbol.for('holdfast.worker')].onDrain(() => {});",
    ['begun', 'told', 'answered'],
  ],
] as const) {
  t.test(`the message shutdown comes ${when}`, async (t) => {
    const port = await freePort();
    const script = application(
      t,
      `${code}
       let answer;
       require('node:http').createServer((request, response) => {
         console.log('begun');
         answer = () => response.end('"well"', () => console.log('answered'));
       }).listen(${port}, '127.0.0.1');
       // What is under way ends some time after the drain has begun.
       process.on('SIGUSR2', () => setTimeout(() => answer(), 200));
       process.on('message', () => console.log('told'));`,
    );
    const holdfast = new Holdfast(t, script, { args: ['--kill-timeout', '1m', ...args] });
    await holdfast.message('started');
    const answer = ask(port);
    await holdfast.message('begun');
    const stopped = holdfast.run('stop');
    const { pid } = await holdfast.message('worker draining');
    // Where it is told early, what is under way ends after that, however late it hears of it.
    if (order[1] === 'told') await holdfast.message('told');
    process.kill(Number(pid), 'SIGUSR2');
    t.equal(await answer, 'well');
    t.equal((await stopped).code, 0);
    t.equal(await holdfast.closed, 0);
    t.same(
      holdfast.log.filter(({ stream }) => stream === 'stdout').map(({ msg }) => msg),
      order,
    );
    t.match(holdfast.lines('worker exited'), [{ signal: 'SIGTERM' }], 'one that only listens is not waited for long');
  });
}
