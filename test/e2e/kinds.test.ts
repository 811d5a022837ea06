import path from 'node:path';
import t, { type Test } from 'tap';
import { Acknowledgements, Echoes, EventRow, EventSourceRow, LineRow, SlowDatagrams } from './support/clients/kinds.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';
import { freePort } from './support/ports.js';

const RELOADS = 20;

async function reloads(t: Test, mode: string): Promise<void> {
  const udpPort = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'kinds.cjs'), {
    args: [
      ...['-i', '2', '--surge', '100%', '--ready', 'message', '--listen-mode', mode],
      ...['--drain-timeout', '2s', '--spread', '500ms'],
    ],
    env: { UDP_PORT: String(udpPort) },
  });
  await holdfast.message('started');
  const { msg } = await holdfast.line(({ msg }) => msg.startsWith('PORTS '));
  const { web, chat } = JSON.parse(msg.slice(6)) as { web: number; chat: number };

  const echoes = [
    new Echoes('WebSocket', web, '/echo').start(6),
    new Echoes('WebSocket, answers take 30 ms', web, '/work').start(6),
  ];
  const chats = Array.from({ length: 3 }, () => new Acknowledgements('socket.io', chat).start());
  const events = Array.from({ length: 4 }, () => new EventRow('server-sent events', web).start());
  const sources = Array.from({ length: 2 }, () => new EventSourceRow('EventSource', web));
  const lines = new LineRow('lines of JSON', web).start(4);
  const datagrams = new SlowDatagrams('UDP', udpPort).start(4);
  const clients = [...echoes, ...chats, ...events, ...sources, lines, datagrams];
  const load = new Load({ port: web, fresh: 2, keepAlive: 0 });
  t.teardown(() => Promise.allSettled([...clients.map((client) => client.stop()), load.stop()]));

  for (let i = 0; i < RELOADS; i++) {
    const from = holdfast.log.length;
    holdfast.child.kill('SIGHUP');
    await holdfast.message('rollout done', from);
  }
  await Promise.all([...clients.map((client) => client.stop()), load.stop()]);
  t.same(load.errors, {}, `HTTP beside it, ${load.answers.length} answers`);
  for (const client of clients) t.same(client.errors, {}, client.name);
  for (const { name, count, codes, done } of echoes) {
    t.ok(done > RELOADS, `${name}: ${count} echoes over ${done} connections`);
    t.same([...codes], [1012], `${name} heard that the service restarts`);
  }
  const acknowledged = chats.reduce((sum, { count }) => sum + count, 0);
  t.comment(`socket.io: ${chats.map(({ unsent }) => unsent)} never sent`);
  t.ok(
    chats.every(({ connects }) => connects > RELOADS / 2),
    `socket.io: ${acknowledged} acknowledgements`,
  );
  const whole = events.reduce((sum, { count }) => sum + count, 0);
  t.ok(
    events.every(({ streams }) => streams > RELOADS),
    `server-sent events: ${whole} in a row`,
  );
  t.ok(
    sources.every(({ opened, done }) => opened > RELOADS && done > 0),
    'EventSource connected again each time',
  );
  t.ok(lines.streams > RELOADS, `lines of JSON: ${lines.count} in ${lines.streams} answers`);
  t.ok(datagrams.done > RELOADS, `UDP: ${datagrams.done} datagrams`);
}

t.test('every kind of long conversation leaves at a moment at which nothing is lost', async (t) => {
  // Side by side: most of the time is waiting.
  t.jobs = 2;
  await Promise.all(
    ['reuseport', 'reuseaddr'].map((mode) =>
      t.test(mode, { buffered: true }, async (t) => {
        await reloads(t, mode);
      }),
    ),
  );
});
