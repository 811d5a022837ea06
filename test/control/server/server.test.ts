import { existsSync, lstatSync } from 'node:fs';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { deferred, OK, open, statusOf } from '../support/fake-target.js';
import { ask, head, jsonLines } from '../support/http.js';

t.test('the socket is for its owner alone, and goes with the server', async (t) => {
  const { server } = await open(t);
  const stats = lstatSync(server.path);
  t.ok(stats.isSocket());
  t.equal(stats.mode & 0o777, 0o600);
  await server.close();
  t.equal(existsSync(server.path), false);
  await server.close();
});

t.test('GET /status answers with the status', async (t) => {
  const { server } = await open(t);
  const { statusCode, headers, text } = await ask(server.path, 'GET', '/status?now');
  t.equal(statusCode, 200);
  t.equal(headers['content-type'], 'application/json');
  t.same(JSON.parse(text), statusOf('shop'));
});

t.test('a status that fails is told, and the next one works', async (t) => {
  const { server, target } = await open(t);
  const answerStatus = target.answerStatus;
  target.answerStatus = () => Promise.reject(new Error('no status today'));
  const failed = await ask(server.path, 'GET', '/status');
  t.equal(failed.statusCode, 500);
  t.match(JSON.parse(failed.text), { error: 'cannot answer /status: no status today', code: 'FAILED', hint: /logs/ });
  target.answerStatus = answerStatus;
  t.equal((await ask(server.path, 'GET', '/status')).statusCode, 200);
});

t.test('a request streams its progress while it goes on, then its result', async (t) => {
  const { server, target } = await open(t);
  const seen = deferred();
  target.perform = async (progress) => {
    progress({ type: 'progress', message: 'worker ready', fields: { slot: 0 } });
    await seen.promise;
    return OK;
  };
  for (const verb of ['reload', 'restart']) {
    const response = await head(server.path, 'POST', `/${verb}`);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      // The first line comes although the request has not ended.
      seen.resolve();
    }
    t.same(jsonLines(text), [
      { type: 'progress', message: 'worker ready', fields: { slot: 0 } },
      { type: 'result', ok: true, message: 'reloaded', reason: null },
    ]);
  }
  t.same(target.calls, ['reload', 'restart']);
});

t.test('under its version a request streams server-sent events with ids, the result last', async (t) => {
  const { server, target } = await open(t);
  const seen = deferred();
  target.perform = async (progress) => {
    progress({ type: 'progress', message: 'worker\nready', fields: { slot: 0 } });
    await seen.promise;
    return OK;
  };
  const response = await head(server.path, 'POST', '/v1/reload');
  t.equal(response.headers['content-type'], 'text/event-stream');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    seen.resolve();
  }
  t.equal(
    text,
    'id: 1\nevent: progress\ndata: {"message":"worker\\nready","fields":{"slot":0}}\n\n' +
      'id: 2\nevent: result\ndata: {"ok":true,"message":"reloaded","reason":null}\n\n',
  );
});

t.test('who watches events and does not read them is told so and cut off, and costs nothing more', async (t) => {
  const { server, target } = await open(t);
  const response = await head(server.path, 'GET', '/v1/events');
  response.on('error', () => {});
  const closed = new Promise((resolve) => response.once('close', resolve));
  const reason = 'x'.repeat(16 * 1024);
  let told = 0;
  // Nothing is read meanwhile: what the kernel takes is not in it.
  while (target.eventReaders.size > 0 && told < 1_000) {
    told += 1;
    target.tell({ id: told, type: 'rolloutFailed', from: 1, to: 2, reason });
  }
  t.ok(told < 100, `${told} events of 16 KiB, and nobody follows any more`);
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  await closed;
  t.match(
    text.split('\n\n').at(-2),
    /^id: \d+\nevent: cutOff\ndata: \{"reason":"more than 256 KiB were not read: .*snapshot"\}$/,
  );
  t.equal((await head(server.path, 'GET', '/v1/events')).statusCode, 200, 'and may come again');
});

t.test('what it said before it had versions it says as it did', async (t) => {
  const { server } = await open(t);
  t.equal((await ask(server.path, 'POST', '/scale', '{"change":"2"}')).headers['content-type'], 'application/x-ndjson');
  t.equal((await ask(server.path, 'GET', '/status')).statusCode, 200);
  t.equal((await ask(server.path, 'GET', '/events')).statusCode, 404, 'and no more');
});

t.test('a request that throws ends with a result that says why', async (t) => {
  const { server, target } = await open(t);
  target.perform = () => Promise.reject(new Error('disk full'));
  const { statusCode, text } = await ask(server.path, 'POST', '/reload');
  t.equal(statusCode, 200);
  t.same(jsonLines(text), [{ type: 'result', ok: false, message: 'failed', reason: 'disk full' }]);
});

t.test('scale passes on a number or a difference, and nothing else', async (t) => {
  const { server, target } = await open(t);
  for (const change of ['4', '+2', '-1']) {
    t.equal((await ask(server.path, 'POST', '/scale', JSON.stringify({ change }))).statusCode, 200);
  }
  t.same(target.calls, ['scale 4', 'scale +2', 'scale -1']);
  for (const body of ['', '{}', 'null', '"4"', '[]', '{"change":4}', '{"change":"abc"}', '{"change":"1e3"}']) {
    const { statusCode, text } = await ask(server.path, 'POST', '/scale', body);
    t.equal(statusCode, 400, body);
    t.match(JSON.parse(text), { error: /^cannot scale: / });
  }
  t.equal(target.calls.length, 3);
});

t.test('bad JSON is 400, a body that is too large is 413', async (t) => {
  const { server, target } = await open(t);
  const bad = await ask(server.path, 'POST', '/reload', '{"a":');
  t.equal(bad.statusCode, 400);
  t.match(JSON.parse(bad.text), { error: /^cannot read the body: / });
  const large = await ask(server.path, 'POST', '/scale', JSON.stringify({ change: '1'.repeat(64 * 1024) }));
  t.equal(large.statusCode, 413);
  t.match(JSON.parse(large.text), { error: /65536 bytes/ });
  t.same(target.calls, []);
});

t.test('unknown paths are 404, wrong methods 405 with the right one', async (t) => {
  const { server, target } = await open(t);
  const unknown = await ask(server.path, 'GET', '/nothing');
  t.equal(unknown.statusCode, 404);
  t.match(JSON.parse(unknown.text), { error: /^cannot find \/nothing: .*\/v1\/status/ });
  for (const [method, path, allow] of [
    ['GET', '/reload', 'POST'],
    ['POST', '/status', 'GET'],
    ['DELETE', '/stop', 'POST'],
  ] as const) {
    const { statusCode, headers, text } = await ask(server.path, method, path);
    t.equal(statusCode, 405);
    t.equal(headers.allow, allow);
    t.match(JSON.parse(text), { error: /^cannot / });
  }
  t.same(target.calls, []);
});

t.test('nonsense on the socket disturbs nobody', async (t) => {
  const { server } = await open(t);
  const socket = net.connect(server.path);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  socket.end('\u0000 what is this\r\n\r\n');
  await closed;
  t.equal((await ask(server.path, 'GET', '/status')).statusCode, 200);
});

t.test('a client that goes away does not cancel what it asked for', async (t) => {
  const { server, target } = await open(t);
  const gone = deferred();
  const done = deferred();
  target.perform = async (progress) => {
    progress({ type: 'progress', message: 'worker started', fields: {} });
    await gone.promise;
    progress({ type: 'progress', message: 'worker ready', fields: {} });
    done.resolve();
    return OK;
  };
  const response = await head(server.path, 'POST', '/reload');
  await new Promise((resolve) => response.once('data', resolve));
  const closed = new Promise((resolve) => response.once('close', resolve));
  response.on('error', () => {});
  response.destroy();
  await closed;
  gone.resolve();
  await done.promise;
  t.equal((await ask(server.path, 'GET', '/status')).statusCode, 200, 'and the server goes on');
});

t.test('who waits for a stop hears the end when the name is free again', async (t) => {
  const { server, target, dir } = await open(t);
  target.perform = async () => ({ ok: true, message: 'stopped', reason: null });
  const response = await head(server.path, 'POST', '/stop');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    // The result is there, the stream is still open: only the close ends it.
    void server.close();
  }
  t.same(jsonLines(text), [{ type: 'result', ok: true, message: 'stopped', reason: null }]);
  t.equal((await open(t, 'shop', dir)).server.path, server.path);
});

t.test('a stop that failed ends at once', async (t) => {
  const { server, target } = await open(t);
  target.perform = async () => ({ ok: false, message: 'failed', reason: 'it will not' });
  const { text } = await ask(server.path, 'POST', '/stop');
  t.same(jsonLines(text), [{ type: 'result', ok: false, message: 'failed', reason: 'it will not' }]);
});

t.test('a close tells those who still wait that there will be no answer', async (t) => {
  const { server, target } = await open(t);
  target.perform = () => new Promise(() => {});
  const response = await head(server.path, 'POST', '/reload');
  let text = '';
  const [, closed] = await Promise.all([
    (async () => {
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
    })(),
    server.close().then(() => 'closed'),
  ]);
  t.equal(closed, 'closed');
  t.match(jsonLines(text), [{ type: 'result', ok: false, reason: /ended/ }]);
});

t.test('a close does not wait for a client that never reads', async (t) => {
  const { server, target } = await open(t);
  const following = deferred();
  target.onFollow = following.resolve;
  const response = await head(server.path, 'GET', '/logs');
  response.on('error', () => {});
  await following.promise;
  for (let i = 0; i < 64; i++) target.log(JSON.stringify({ text: 'x'.repeat(64 * 1024) }));
  await server.close();
  t.equal(target.followers.size, 0);
});

t.test('thousands of pipelined requests are one, and keep nobody else waiting', async (t) => {
  const { target, server } = await open(t);
  let asked = 0;
  target.answerStatus = async () => {
    asked += 1;
    return statusOf('shop');
  };
  const socket = net.connect(server.path).on('error', () => {});
  t.teardown(() => void socket.destroy());
  const answered = text(socket);
  socket.write('GET /status HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(2_000));
  const { statusCode } = await ask(server.path, 'GET', '/status');
  t.equal(statusCode, 200);
  t.equal((await answered.catch(() => '')).split('HTTP/1.1 200').length, 2, 'one answer, then the connection ends');
  t.ok(asked <= 2, `it was made ${asked} times`);
});

t.test('followers of the logs are bounded, and there is room again when one has gone', async (t) => {
  const { target, server } = await open(t);
  const followers = await Promise.all(Array.from({ length: 16 }, () => head(server.path, 'GET', '/logs')));
  t.teardown(() => followers.forEach((follower) => void follower.destroy()));
  const refused = await ask(server.path, 'GET', '/logs');
  t.equal(refused.statusCode, 503);
  t.match(refused.text, /cannot follow the logs: 16 follow them already/);
  const back = await ask(server.path, 'GET', '/logs?lines=1&follow=false');
  t.match(back.text, /"type":"logs"/, 'who only looks back is answered all the same');
  t.equal(target.followers.size, 16);
  const gone = new Promise<void>((resolve) => {
    const { followers: left } = target;
    const forget = left.delete.bind(left);
    left.delete = (follower) => {
      const was = forget(follower);
      resolve();
      return was;
    };
  });
  followers[0]?.destroy();
  await gone;
  const again = await head(server.path, 'GET', '/logs');
  t.equal(again.statusCode, 200);
  again.destroy();
});
