import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { link, linkToNobody, type Setup, Succession } from './support/pair.js';
import { RawClient } from './support/raw-client.js';

/** Long enough that all of a case happens while the connection is on its way, and shorter than the sender's patience. */
const ON_ITS_WAY_MS = 400;

interface Case extends Setup {
  readonly name: string;
  readonly run: (t: Test, s: Succession) => Promise<void>;
}

/** Three clients, the new worker stopped before it has read anything of them. */
async function stopped(s: Succession): Promise<RawClient[]> {
  const clients = [await s.kept(), await s.kept(), await s.kept()];
  await s.drainIntoStopped();
  return clients;
}

const CASES: Case[] = [
  {
    name: 'a silent client goes to the new worker, and neither side sees an end',
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      client.post();
      const answer = await client.answer();
      t.same([s.who(answer), answer.last, client.events], ['new', false, []]);
      t.match(await s.old.report(), { open: 0, closed: 1, bad: 0 });
      t.match(await s.fresh.report(), { open: 1, connections: 1, bad: 0 });
      t.match(await s.old.tells('handedOver'), { handed: 1, refused: 0, takenBack: 0 });
    },
  },
  {
    name: 'without libc the channel is a socket of the runtime folder',
    async run(t, s) {
      const client = await s.kept();
      const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
      t.teardown(() => rmSync(dir, { recursive: true, force: true }));
      await s.drain({}, dir);
      await s.old.tells('drained');
      client.post();
      t.equal(s.who(await client.answer()), 'new');
      t.same(readdirSync(dir), []);
    },
  },
  {
    name: 'a link to a worker that has ended meanwhile says nothing of what this Node can do',
    async run(t, s) {
      await linkToNobody(s.fresh, 'take');
      await linkToNobody(s.old, 'give');
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      client.post();
      t.equal(s.who(await client.answer()), 'new');
      t.same([s.old.lacks, s.fresh.lacks], [[], []]);
    },
  },
  {
    name: 'a request that comes while the connection is on its way is answered by the new worker',
    async run(t, s) {
      const client = await s.kept();
      await s.drainInto(ON_ITS_WAY_MS);
      client.post();
      const answer = await client.answer();
      t.same([s.who(answer), answer.last], ['new', false]);
    },
  },
  {
    name: 'half a request while it is on its way, the rest later',
    async run(t, s) {
      const client = await s.kept();
      await s.drainInto(ON_ITS_WAY_MS);
      client.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Le');
      await s.old.tells('drained');
      client.write('ngth: 5\r\n\r\nhello');
      const answer = await client.answer();
      t.same([s.who(answer), answer.body], ['new', 'hello']);
    },
  },
  {
    name: 'ten requests in one piece while it is on its way',
    async run(t, s) {
      const client = await s.kept();
      await s.drainInto(ON_ITS_WAY_MS);
      client.write(Array.from({ length: 10 }, (_none, i) => request(`${i}`)).join(''));
      for (let i = 0; i < 10; i++) {
        const answer = await client.answer();
        t.same([s.who(answer), answer.body], ['new', `${i}`]);
      }
    },
  },
  {
    name: 'a client that closes while it is on its way',
    async run(t, s) {
      const client = await s.kept();
      await s.drainInto(ON_ITS_WAY_MS);
      client.socket.destroy();
      await s.old.tells('drained');
      await gone(s);
      t.match(await s.fresh.report(), { open: 0, connections: 1, bad: 0 });
    },
  },
  {
    name: 'a client that resets while it is on its way',
    async run(t, s) {
      const client = await s.kept();
      await s.drainInto(ON_ITS_WAY_MS);
      client.socket.resetAndDestroy();
      await s.old.tells('drained');
      await gone(s);
      t.match(await s.fresh.report(), { open: 0, bad: 0 });
    },
  },
  {
    name: 'a client that ends its side while it is on its way',
    async run(t, s) {
      const client = await s.kept();
      await s.drainInto(ON_ITS_WAY_MS);
      client.socket.end();
      await client.happened('end');
      await gone(s);
      t.notOk(client.events.includes('ECONNRESET'));
      t.match(await s.fresh.report(), { open: 0, connections: 1, bad: 0 });
    },
  },
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
    name: 'a client that asks for the end of the connection gets it from the new worker',
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      client.post('/echo', 'x', 'Connection: close\r\n');
      const answer = await client.answer();
      await client.happened('end');
      t.same([s.who(answer), answer.last], ['new', true]);
    },
  },
  {
    name: 'a socket on which the application keeps something of its own stays',
    async run(t, s) {
      const client = await s.kept();
      client.post('/ntlm');
      await client.answer();
      await s.drainOnceOpen();
      await s.old.report();
      client.post();
      const answer = await client.answer();
      t.same([s.who(answer), answer.last], ['old', true]);
      await s.old.tells('drained');
      t.match(await s.old.tells('handedOver'), {
        handed: 0,
        stayed: { 'the application keeps ntlm on the socket': 1 },
      });
    },
  },
  {
    name: 'what a connection listener puts on each socket is no reason to stay: the new worker does it anew',
    env: { TAG: '1' },
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      client.post('/who');
      const { body } = await client.answer();
      const { localPort: remotePort } = client.socket;
      t.same(JSON.parse(body), { remoteAddress: '127.0.0.1', remotePort, tag: s.fresh.pid });
    },
  },
  {
    name: 'the new worker closes a silent client by the longer of both promises',
    env: { KEEP_ALIVE: '1000' },
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      const since = performance.now();
      await client.happened('end');
      t.ok(performance.now() - since > 700, `after ${Math.round(performance.now() - since)} ms`);
    },
  },
  {
    name: 'a slow request after the move outlives the keep-alive time',
    env: { KEEP_ALIVE: '300' },
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      client.post('/echo?wait=1800');
      t.equal(s.who(await client.answer()), 'new');
    },
  },
  {
    name: 'the time for a head does not end a silent client',
    env: { HEADERS_TIMEOUT: '300' },
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      // Node looks every 50 ms, and answers 408 to a client that owes a head for 300 ms.
      const owes = await RawClient.open(s.fresh.port);
      owes.write('GET / HT');
      const late = await owes.answer();
      owes.socket.destroy();
      t.equal(late.status, 408);
      t.same([client.data, client.events], ['', []]);
      client.post();
      t.equal(s.who(await client.answer()), 'new');
    },
  },
  {
    name: 'server.close() of the new worker closes what it has taken, as any idle client',
    async run(t, s) {
      const client = await s.kept();
      await s.drain();
      await s.old.tells('drained');
      await s.fresh.command({ do: 'close' });
      await client.happened('end');
      await s.fresh.tells('serverClosed');
      t.match(await s.fresh.report(), { open: 0, bad: 0 });
    },
  },
  {
    name: 'a new worker that has as many connections as it may refuses: the old one goes on, and says that it is the last',
    freshEnv: { MAX_CONNECTIONS: '1' },
    async run(t, s) {
      const clients = [await s.kept(), await s.kept(), await s.kept()];
      await s.drainOnceOpen();
      await s.old.report();
      const answers = [];
      for (const client of clients) {
        client.post();
        answers.push(await client.answer());
      }
      t.equal(answers.filter((answer) => s.who(answer) === 'new').length, 1);
      t.ok(answers.every((answer) => answer.last === (s.who(answer) === 'old')));
      await s.old.tells('drained');
      t.match(await s.old.tells('handedOver'), { handed: 1, refused: 2 });
    },
  },
  {
    name: 'a new worker that is killed while they are on their way costs nothing',
    async run(t, s) {
      const clients = await stopped(s);
      for (const client of clients) client.post();
      const ended = once(s.fresh.child, 'exit');
      process.kill(s.fresh.pid, 'SIGKILL');
      await ended;
      await s.cut();
      for (const client of clients) t.equal(s.who(await client.answer()), 'old');
      t.match(await s.old.report(), { bad: 0 });
    },
  },
  {
    name: 'a new worker that hangs loses what it has not read: the old one serves on',
    async run(t, s) {
      const clients = await stopped(s);
      for (const client of clients) client.post();
      for (const client of clients) t.equal(s.who(await client.answer()), 'old');
      await s.old.tells('unlinked');
      process.kill(s.fresh.pid, 'SIGCONT');
      t.match(await s.fresh.report(), { open: 0, connections: 0 });
    },
  },
  {
    name: 'and when it is there again, it gets them by another link',
    async run(t, s) {
      const clients = await stopped(s);
      await s.old.tells('unlinked');
      // Or it would still read what is being taken back.
      await s.old.report();
      await s.old.report();
      process.kill(s.fresh.pid, 'SIGCONT');
      await s.fresh.report();
      await s.drain();
      await s.old.tells('drained');
      for (const client of clients) {
        client.post();
        t.equal(s.who(await client.answer()), 'new');
      }
      t.match(await s.old.tells('handedOver'), { handed: 3, takenBack: 3 });
    },
  },
  {
    name: 'an old worker that has ended before the new one hears of it is nothing that Node lacks',
    async run(t, s) {
      process.kill(s.fresh.pid, 'SIGSTOP');
      await link(s.old, s.fresh);
      const ended = once(s.old.child, 'exit');
      process.kill(s.old.pid, 'SIGKILL');
      await ended;
      process.kill(s.fresh.pid, 'SIGCONT');
      const { told, bad } = await s.fresh.report();
      t.same([told.filter(({ type }) => type === 'able'), bad], [[], 0]);
    },
  },
  {
    name: 'an old worker that is killed while they are on their way costs nothing',
    async run(t, s) {
      const clients = await stopped(s);
      const ended = once(s.old.child, 'exit');
      process.kill(s.old.pid, 'SIGKILL');
      await ended;
      for (const client of clients) client.post();
      process.kill(s.fresh.pid, 'SIGCONT');
      for (const client of clients) t.equal(s.who(await client.answer()), 'new');
    },
  },
  {
    name: 'an old worker whose loop is blocked takes nothing back that has been taken',
    async run(t, s) {
      const clients = [await s.kept(), await s.kept(), await s.kept()];
      await s.drainInto(100);
      await s.old.command({ do: 'block', ms: 1_600 });
      for (const client of clients) client.post();
      for (const client of clients) t.equal(s.who(await client.answer()), 'new');
      await s.old.tells('drained');
      t.match(await s.old.tells('handedOver'), { handed: 3, takenBack: 0 });
    },
  },
  {
    name: 'a new worker that drains itself refuses all at once, and the old one asks for another',
    async run(t, s) {
      const client = await s.kept();
      await s.fresh.command({ do: 'drain', order: { recipients: false } });
      await s.drain();
      await s.old.tells('unlinked');
      client.post();
      t.equal(s.who(await client.answer()), 'old');
    },
  },
  {
    name: 'without recipients each answer is the last, and nobody waits for one',
    async run(t, s) {
      const client = await s.kept();
      await s.old.command({ do: 'drain', order: { recipients: false } });
      await s.old.report();
      client.post();
      const answer = await client.answer();
      t.same([s.who(answer), answer.last], ['old', true]);
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

function request(body: string, path = '/echo'): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The old worker has begun with so many requests. */
async function asked({ old }: Succession, count: number): Promise<void> {
  while ((await old.report()).requests < count);
}

async function connected({ old }: Succession, count: number): Promise<void> {
  while ((await old.report()).connections < count);
}

/** The new worker has noticed that its client is gone. */
async function gone({ fresh }: Succession): Promise<void> {
  for (;;) {
    const { open, connections } = await fresh.report();
    if (connections > 0 && open === 0) return;
  }
}

t.jobs = 4;
for (const { name, run, ...setup } of CASES) {
  t.test(name, { buffered: true }, async (t) => run(t, await Succession.start(t, setup)));
}
