/** Workers that end, hang or refuse in the middle of a hand-over. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { encode, RECORD_BYTES } from '../../dist/worker/handover/record.js';
import { type Case, play } from './support/handover-cases.js';
import { link, linkToTest, linkWithoutBack, type Succession } from './support/pair.js';
import type { RawClient } from './support/raw-client.js';

/** Three clients, the new worker stopped before it has read anything of them. */
async function stopped(s: Succession): Promise<RawClient[]> {
  const clients = [await s.kept(), await s.kept(), await s.kept()];
  await s.drainIntoStopped();
  return clients;
}

/** The new worker stopped before it has read anything, and nothing with which the old one could take it back. */
async function hangs(s: Succession) {
  const linked = await linkWithoutBack(s.old, s.fresh);
  await s.fresh.report();
  await s.old.report();
  process.kill(s.fresh.pid, 'SIGSTOP');
  await s.old.command({ do: 'drain' });
  await s.old.report();
  return linked;
}

const CASES: readonly Case[] = [
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
    name: 'a new worker that hangs before there is anything to take back by loses them when there is',
    async run(t, s) {
      const client = await s.kept();
      const { giveBack } = await hangs(s);
      client.post();
      await s.old.tells('unlinked');
      await giveBack();
      t.equal(s.who(await client.answer()), 'old');
    },
  },
  {
    name: 'one that hangs for good: what the client asked meanwhile is answered, however long it was promised',
    env: { KEEP_ALIVE: '300' },
    async run(t, s) {
      const client = await s.kept();
      const { id, drop } = await hangs(s);
      client.post();
      await s.old.tells('unlinked');
      // Longer than another one is hoped for, and than a silent client is kept.
      await setTimeout(4_500);
      process.kill(s.fresh.pid, 'SIGKILL');
      await once(s.fresh.child, 'exit');
      drop();
      await s.old.command({ do: 'link', link: id, role: 'cut', addresses: [] });
      t.equal(s.who(await client.answer()), 'old');
    },
  },
  {
    name: 'a link that breaks in the turn in which an answer is sent',
    async run(t, s) {
      const client = await s.kept();
      const end = await linkToTest(t, s.old, 'give');
      client.write('POST /echo HTTP/1.1\r\nHos');
      end.write(encode({ type: 'hello', able: true }));
      await once(end, 'data');
      await s.old.command({ do: 'drain' });
      await s.old.report();
      process.kill(s.old.pid, 'SIGSTOP');
      end.write(Buffer.alloc(RECORD_BYTES, '?'));
      client.write('t: x\r\nContent-Length: 5\r\n\r\nhello');
      process.kill(s.old.pid, 'SIGCONT');
      t.equal(s.who(await client.answer()), 'old');
      t.match(await s.old.report(), { bad: 0 });
    },
  },
  {
    name: 'a new worker that does not understand the old one says so, whoever else holds its end of the link',
    async run(t, s) {
      const end = await linkToTest(t, s.fresh, 'take');
      await once(end, 'data');
      end.write(Buffer.alloc(RECORD_BYTES, '?'));
      await once(end.resume(), 'end');
      t.match(await s.fresh.report(), { bad: 0 });
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
];

play(CASES);
