import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import t, { type Test } from 'tap';
import { connectTo } from '../../../src/control/client/find.js';
import { upgradeOver } from '../../../src/control/client/upgrade-arrival.js';
import type { LastUpgrade, SupervisorStatus } from '../../../src/protocol/status.js';
import { makeFolder, statusOf } from '../support/fake-target.js';

const LAST: LastUpgrade = { id: 'this', version: '1.2.2', nodeVersion: 'v20.0.0', failure: null, done: true };

/** A supervisor that says that it has begun and is gone then; its successor says each of `told`, the last one again and again. */
async function replaced(
  t: Test,
  {
    begins = true,
    pid,
    told,
  }: { readonly begins?: boolean; readonly pid?: number; readonly told: (LastUpgrade | null)[] },
) {
  const dir = makeFolder(t);
  let asked = 0;
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      const last = told[Math.min(asked++, told.length - 1)] ?? null;
      response.end(JSON.stringify(statusOf('shop', { upgrade: { possible: true, reason: null, last } })));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const fields = begins ? { upgrade: 'this', pid } : {};
    response.write(`event: progress\ndata: ${JSON.stringify({ message: 'upgrading', fields })}\n\n`);
    setImmediate(() => response.destroy());
  });
  const listen = () => server.listen(path.join(dir, 'shop.sock'));
  listen();
  await once(server, 'listening');
  t.teardown(() => server.close());
  const steps: string[] = [];
  const arrived: SupervisorStatus[] = [];
  const result = upgradeOver(await connectTo(dir, 'shop'), {}, ({ message }) => steps.push(message), {
    onArrived: (now) => arrived.push(now),
  });
  return { result, steps, arrived, server, listen };
}

t.test(
  'the end of the program that was asked is none: its successor tells the result, once it has all workers',
  async (t) => {
    const told = [{ ...LAST, id: 'earlier' }, { ...LAST, done: false }, LAST];
    const { result, steps, arrived } = await replaced(t, { told });
    t.same(await result, { type: 'result', ok: true, message: 'upgraded', reason: null });
    t.same(steps, ['upgrading']);
    t.match(arrived, [{ name: 'shop', upgrade: { last: LAST } }]);
  },
);

t.test('where the new one did not get up, that is the result', async (t) => {
  const { result } = await replaced(t, { told: [{ ...LAST, failure: 'holdfast: cannot start: EACCES' }] });
  t.match(await result, { ok: false, reason: /the previous one goes on: cannot start: EACCES$/ });
});

t.test('one that ends before it has begun is lost', async (t) => {
  const { result, arrived } = await replaced(t, { begins: false, told: [LAST] });
  await t.rejects(result, { code: 'CONNECTION_LOST' });
  t.same(arrived, []);
});

t.test('where another program has taken its place, or it has ended, that is told soon', async (t) => {
  const other = await replaced(t, { told: [null] });
  await t.rejects(other.result, { code: 'CONNECTION_LOST', message: /another program answers in its place$/ });
  const ended = await replaced(t, { told: [{ ...LAST, done: false }] });
  const from = performance.now();
  ended.server.once('request', () => ended.server.close());
  await t.rejects(ended.result, { message: 'cannot upgrade shop: it has ended in the middle of it' });
  t.ok(performance.now() - from < 30_000, 'long before the time that it has');
});

t.test('one that has no socket for some seconds, and is still there, is waited for', async (t) => {
  const told = [
    { ...LAST, done: false },
    { ...LAST, failure: 'a fault of its own' },
  ];
  const { result, server, listen } = await replaced(t, { pid: process.pid, told });
  server.once('request', () => {
    server.close();
    // Longer than where nobody is there.
    setTimeout(listen, 4_000);
  });
  t.match(await result, { ok: false, reason: /the previous one goes on: a fault of its own$/ });
});
