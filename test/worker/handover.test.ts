/** A connection goes to the new worker, whatever its client does while it is on its way and after that. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Case, gone, ON_ITS_WAY_MS, play, request } from './support/handover-cases.js';
import { link, linkToNobody, TestWorker } from './support/pair.js';
import { RawClient } from './support/raw-client.js';

const CASES: readonly Case[] = [
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
    name: 'one whose time the drain has taken away is kept as long as any other',
    env: { KEEP_ALIVE: '1500' },
    freshEnv: { KEEP_ALIVE: '300' },
    async run(t, s) {
      const client = await s.kept();
      // Nobody is hoped for: the drain itself watches over it.
      await s.old.command({ do: 'drain' });
      await s.old.report();
      const since = performance.now();
      await link(s.old, s.fresh);
      await s.old.tells('drained');
      await client.happened('end');
      // Node itself adds a second to what it promises.
      t.ok(performance.now() - since > 2_400, `after ${Math.round(performance.now() - since)} ms`);
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
    name: 'a client that says nothing between two moves is kept for as long as it was promised, and owes nothing',
    env: { KEEP_ALIVE: '1500' },
    async run(t, s) {
      const client = await s.kept();
      // Where one that owes a head hears so at once.
      const last = await TestWorker.start(t, { HEADERS_TIMEOUT: '300', KEEP_ALIVE: '300' });
      const since = performance.now();
      await s.drain();
      await s.old.tells('drained');
      await link(s.fresh, last);
      await s.fresh.command({ do: 'drain' });
      await s.fresh.tells('drained');
      await last.report();
      await client.happened('end');
      const ms = Math.round(performance.now() - since);
      t.same(client.data, '', 'no 408: it has had its answer');
      t.ok(ms > 2_400, `it is closed after ${ms} ms`);
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
];

play(CASES);
