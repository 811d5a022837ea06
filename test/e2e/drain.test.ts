import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { ask } from './support/ask.js';
import { apps, Holdfast } from './support/holdfast.js';
import { freePort } from './support/ports.js';

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
