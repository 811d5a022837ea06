import diagnosticsChannel from 'node:diagnostics_channel';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { Figures } from '../../../dist/worker/connections/figures.js';
import { askHealth } from '../../../dist/worker/connections/health.js';

t.test('answers are counted with their errors and their time, those of health are not', async (t) => {
  const figures = new Figures();
  figures.install();
  const server = http.createServer((request, response) => {
    response.statusCode = request.url === '/broken' ? 503 : 200;
    if (request.url === '/slow') setTimeout(() => response.end(), 60);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const get = (path: string) =>
    new Promise((resolve, reject) => {
      http
        .get({ port, host: '127.0.0.1', path, agent: false }, (r) => r.resume().on('end', resolve))
        .on('error', reject);
    });
  for (const path of ['/', '/', '/broken', '/slow']) await get(path);
  await askHealth([server], '/broken', 1_000);
  const { answers, serverErrors, latency } = figures.read();
  t.same([answers, serverErrors, figures.requests], [4, 1, 4]);
  t.equal(
    latency.reduce((sum, count) => sum + count, 0),
    4,
  );
  const slowest = latency.findLastIndex((count) => count > 0);
  // Bucket i ends at 2^(i/4 - 13) s.
  t.ok(1000 * 2 ** (slowest / 4 - 13) >= 59, `the slowest is in bucket ${slowest}`);
});

t.test('a request on a stand-in for a socket that throws counts as any other', async (t) => {
  const figures = new Figures();
  figures.install();
  const socket = new Proxy(
    {},
    {
      get() {
        throw new Error('not now');
      },
    },
  );
  const response = { statusCode: 200, req: { socket } };
  // What a subscriber throws ends the process a turn later.
  diagnosticsChannel.channel('http.server.request.start').publish({ response });
  diagnosticsChannel.channel('http.server.response.finish').publish({ response, socket });
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(figures.requests, 1);
  t.equal(figures.read().answers, 1);
});
