import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { ask, listen, open } from '../support/open-admin.js';

t.test('a stream tells what happens until its reader goes, and there are only so many', async (t) => {
  const { port, target } = await open(t);
  const { request, response, heard } = await listen(t, port);
  t.equal(response.headers['content-type'], 'text/event-stream');
  t.match(await heard('history'), 'event: history\ndata: {"at":[1],"values":[],"marks":[]}\n\n');
  for (const tell of target.readers)
    tell({ event: 'mark', data: { id: 1, at: 2, kind: 'scale', text: 'a\n\nevent: forged', details: [] } });
  t.match(
    await heard('event: mark'),
    'data: {"id":1,"at":2,"kind":"scale","text":"a\\n\\nevent: forged","details":[]}\n\n',
    'on one line',
  );
  const others = await Promise.all(Array.from({ length: 15 }, () => listen(t, port)));
  t.equal(target.readers.size, 16);
  const next = await ask(port, '/feed');
  t.match(next, { statusCode: 503, text: '{"error":"cannot open another page: 16 are open"}\n' }, 'the next one');
  t.equal((await ask(port, '/livez')).statusCode, 200, 'probes have room');
  request.destroy();
  for (const { request: other } of others) other.destroy();
  while (target.readers.size > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal((await listen(t, port)).response.statusCode, 200);
});

t.test('a reader that does not read is sent away: nothing is kept for it', async (t) => {
  const { port, target } = await open(t);
  const slow = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => void slow.destroy());
  slow.write('GET /feed HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await once(slow, 'readable');
  const lines = ['x'.repeat(64 * 1024)];
  for (let i = 0; target.readers.size > 0 && i < 10_000; i++) {
    for (const tell of target.readers) tell({ event: 'logs', data: { lines, left: 0 } });
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(target.readers.size, 0);
});

t.test('a close ends streams', async (t) => {
  const { port, server } = await open(t);
  const { response, heard } = await listen(t, port);
  const ended = once(response, 'close');
  await server.close();
  t.match(await heard('event: ended'), /event: ended\ndata: \{"at":[\d.]+\}\n\n$/, 'which is said');
  await ended;
});
