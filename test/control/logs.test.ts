import t from 'tap';
import { deferred, open } from './support/fake-target.js';
import { head, jsonLines } from './support/http.js';

t.test('log lines come as they are logged, until the client goes away', async (t) => {
  const { server, target } = await open(t);
  const following = deferred();
  target.onFollow = following.resolve;
  const response = await head(server.path, 'GET', '/logs');
  t.equal(response.headers['content-type'], 'application/x-ndjson');
  await following.promise;
  target.log('{"msg":"one"}');
  target.log('{"msg":"two"}');
  let text = '';
  await new Promise<void>((resolve) => {
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.split('\n').length === 3) resolve();
    });
  });
  t.same(jsonLines(text), [{ msg: 'one' }, { msg: 'two' }]);

  const unfollowed = new Promise<void>((resolve) => {
    const forget = target.followers.delete.bind(target.followers);
    target.followers.delete = (follower) => {
      resolve();
      return forget(follower);
    };
  });
  response.on('error', () => {});
  response.destroy();
  await unfollowed;
  t.equal(target.followers.size, 0);
});

t.test('the last lines come first, with how many they are, and without follow that is all', async (t) => {
  const { server, target } = await open(t);
  target.recent = ['{"slot":0,"msg":"a"}', '{"slot":1,"msg":"b"}', '{"slot":0,"msg":"c"}'];
  target.logFile = '/var/log/shop.log';
  const response = await head(server.path, 'GET', '/logs?lines=5&follow=false&slot=0');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  t.same(jsonLines(text), [
    { type: 'logs', recent: 2, logFile: '/var/log/shop.log' },
    { slot: 0, msg: 'a' },
    { slot: 0, msg: 'c' },
  ]);
  t.equal(target.followers.size, 0);
});

t.test('a question that makes no sense is refused', async (t) => {
  const { server } = await open(t);
  const response = await head(server.path, 'GET', '/logs?lines=many');
  t.equal(response.statusCode, 400);
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  t.match(JSON.parse(text).error, /cannot read the logs: lines must be a number/);
});

t.test('a close ends the stream', async (t) => {
  const { server, target } = await open(t);
  const following = deferred();
  target.onFollow = following.resolve;
  const response = await head(server.path, 'GET', '/logs');
  await following.promise;
  target.log('{"msg":"last words"}');
  void server.close();
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  t.same(jsonLines(text), [{ msg: 'last words' }]);
});

t.test('a slow reader loses lines, hears how many, and then gets the new ones', async (t) => {
  const { server, target } = await open(t);
  const following = deferred();
  target.onFollow = following.resolve;
  const response = await head(server.path, 'GET', '/logs');
  await following.promise;
  // 16 MiB in one go: nothing is read meanwhile.
  const sent = 1024;
  const filler = 'x'.repeat(16 * 1024);
  for (let n = 0; n < sent; n++) target.log(JSON.stringify({ n, filler }));

  const received: { n?: number; msg?: string; dropped?: number; level?: string }[] = [];
  let rest = '';
  await new Promise<void>((resolve) => {
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const parsed = JSON.parse(line) as (typeof received)[number];
        received.push(parsed);
        if (parsed.dropped !== undefined) target.log('{"msg":"new"}');
        if (parsed.msg === 'new') resolve();
      }
    });
  });
  const kept = received.filter(({ n }) => n !== undefined);
  const [told] = received.filter(({ dropped }) => dropped !== undefined);
  t.ok(kept.length < 256, `${kept.length} lines waited, a few MiB at most`);
  t.same(
    kept.map(({ n }) => n),
    [...kept.keys()],
    'the first ones, in order',
  );
  t.match(told, { msg: 'log lines dropped', level: 'warn', dropped: sent - kept.length });
  t.match(received.at(-1), { msg: 'new' });
  response.on('error', () => {});
  response.destroy();
});
