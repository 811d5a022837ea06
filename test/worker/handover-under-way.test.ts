/** What is under way on a connection at the drain: requests, answers, conversations. */
import type { Test } from 'tap';
import { asked, type Case, connected, ON_ITS_WAY_MS, play, request } from './support/handover-cases.js';
import type { Succession } from './support/pair.js';

/** Answered before the drain, half of the body before it as well; the rest in it, and no more. */
async function bodyInTheDrain(t: Test, s: Succession, path: string): Promise<void> {
  const client = await s.kept();
  client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`);
  await client.answer();
  await s.drain();
  await s.old.report();
  client.write('def');
  await s.old.tells('drained');
  client.post();
  t.equal(s.who(await client.answer()), 'new');
}

const CASES: readonly Case[] = [
  {
    name: 'half a head before the drain is finished by the old worker, the next request by the new one',
    async run(t, s) {
      const client = await s.kept();
      client.write('POST /echo HTTP/1.1\r\nHos');
      await s.drain();
      await s.old.report();
      client.write('t: x\r\nContent-Length: 5\r\n\r\nhello');
      const first = await client.answer();
      await s.old.tells('drained');
      client.post();
      t.same([s.who(first), first.body, first.last, s.who(await client.answer())], ['old', 'hello', false, 'new']);
    },
  },
  {
    name: 'two requests in one piece, the first slow: both are answered where they came',
    async run(t, s) {
      const client = await s.kept();
      client.write(request('1', '/a?wait=300') + request('2', '/b'));
      await asked(s, 3);
      await s.drain();
      const answers = [await client.answer(), await client.answer()];
      await s.old.tells('drained');
      client.post();
      t.same(
        answers.map((answer) => [s.who(answer), answer.body]),
        [
          ['old', '1'],
          ['old', '2'],
        ],
      );
      t.equal(s.who(await client.answer()), 'new');
    },
  },
  {
    name: 'one request and a half in one piece',
    async run(t, s) {
      const client = await s.kept();
      client.write(`${request('1', '/a?wait=200')}POST /b HTTP/1.1\r\nHo`);
      await asked(s, 2);
      await s.drain();
      const first = await client.answer();
      await s.old.report();
      client.write('st: x\r\nContent-Length: 1\r\n\r\n2');
      const second = await client.answer();
      await s.old.tells('drained');
      client.post();
      t.same([s.who(first), s.who(second), second.body, s.who(await client.answer())], ['old', 'old', '2', 'new']);
    },
  },
  {
    name: 'a connection over which nothing has been said',
    async run(t, s) {
      const client = await s.client();
      await connected(s, 1);
      await s.drain();
      await s.old.tells('drained');
      client.post();
      t.equal(s.who(await client.answer()), 'new');
    },
  },
  {
    name: 'a new connection with half a head',
    async run(t, s) {
      const client = await s.client();
      client.write('POST /echo HT');
      await connected(s, 1);
      await s.drain();
      await s.old.report();
      client.write('TP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1');
      const first = await client.answer();
      await s.old.tells('drained');
      client.post();
      t.same([s.who(first), s.who(await client.answer())], ['old', 'new']);
    },
  },
  {
    name: 'an answer that streams is finished, and says nothing of an end',
    async run(t, s) {
      const client = await s.kept();
      client.post('/stream?wait=300', 'x');
      await asked(s, 2);
      await s.drain();
      const first = await client.answer();
      await s.old.tells('drained');
      client.post();
      t.same([s.who(first), first.last, s.who(await client.answer())], ['old', false, 'new']);
    },
  },
  {
    name: 'an upload is finished',
    async run(t, s) {
      const client = await s.kept();
      client.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc');
      await asked(s, 2);
      await s.drain();
      await s.old.report();
      client.write('def');
      const first = await client.answer();
      await s.old.tells('drained');
      client.post();
      t.same([s.who(first), first.body, s.who(await client.answer())], ['old', 'abcdef', 'new']);
    },
  },
  {
    name: 'an answer before its request’s body has come',
    async run(t, s) {
      const client = await s.kept();
      client.write('POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc');
      const first = await client.answer();
      await s.drain();
      await s.old.report();
      client.write('def');
      client.post();
      const next = await client.answer();
      t.same([s.who(first), next.body], ['old', 'hello']);
    },
  },
  {
    name: 'the body comes after the answer, in the drain, and then nothing: the silent connection goes to the new worker',
    run: (t, s) => bodyInTheDrain(t, s, '/early'),
  },
  {
    name: 'the same where the application has stopped to read the body',
    run: (t, s) => bodyInTheDrain(t, s, '/paused'),
  },
  {
    name: 'the same with an answer that comes in the drain as well',
    async run(t, s) {
      const client = await s.kept();
      client.write('POST /early HTTP/1.1\r\nHost: x\r\n');
      await s.drain();
      await s.old.report();
      client.write('Content-Length: 6\r\n\r\nabc');
      t.equal(s.who(await client.answer()), 'old');
      await s.old.report();
      client.write('def');
      await s.old.tells('drained');
      client.post();
      t.equal(s.who(await client.answer()), 'new');
    },
  },
  {
    name: 'a body that its handler reads late, while the connection is on its way',
    async run(t, s) {
      const client = await s.kept();
      client.post('/late');
      await client.answer();
      await s.drainInto(ON_ITS_WAY_MS);
      await s.old.command({ do: 'readLate' });
      await s.old.report();
      client.post();
      const next = await client.answer();
      t.same([s.who(next), next.body], ['new', 'hello']);
      t.match(await s.old.report(), { requests: 2 });
    },
  },
  {
    name: 'Expect: 100-continue',
    async run(t, s) {
      const client = await s.kept();
      client.write('POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
      const go = await client.answer();
      await s.drain();
      await s.old.report();
      client.write('hello');
      const first = await client.answer();
      await s.old.tells('drained');
      client.post();
      t.same([go.status, s.who(first), first.body, s.who(await client.answer())], [100, 'old', 'hello', 'new']);
    },
  },
  {
    name: 'an upgraded connection stays',
    async run(t, s) {
      const client = await s.kept();
      client.write('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      const upgraded = await client.answer();
      await s.drain();
      await s.old.report();
      client.write('ping');
      const expected = `${s.old.pid}:ping`;
      t.equal(await client.until(() => (client.data === expected ? client.data : undefined)), expected);
      t.equal(upgraded.status, 101);
    },
  },
  {
    name: 'a conversation over TCP goes on where its application passes its state on',
    env: { KIND: 'tcp' },
    async run(t, s) {
      const client = await s.client();
      client.write('one\ntwo\n');
      t.same([await client.line(), await client.line()], [`1 ${s.old.pid}`, `2 ${s.old.pid}`]);
      client.write('half a li');
      await s.old.report();
      await s.drain();
      await s.old.tells('drained');
      client.write('ne\n');
      t.equal(await client.line(), `3 ${s.fresh.pid}`);
      t.same(client.events, []);
    },
  },
  {
    name: 'a state of many records arrives whole',
    env: { KIND: 'tcp' },
    async run(t, s) {
      const client = await s.client();
      const long = 'x'.repeat(20_000);
      client.write(`one\n${long}`);
      t.equal(await client.line(), `1 ${s.old.pid}`);
      await s.old.report();
      await s.drain();
      await s.old.tells('drained');
      client.write('\n');
      t.equal(await client.line(), `2 ${s.fresh.pid}`);
    },
  },
];

play(CASES);
