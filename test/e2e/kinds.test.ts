import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { Acknowledgements, Echoes, EventRow, EventSourceRow, LineRow, SlowDatagrams } from './support/clients/kinds.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';
import { pack } from './support/packages.js';

const RELOADS = 20;
const packages = pack(t, ['ws', 'socket.io']);

async function start(t: Test, mode: string, args: readonly string[]) {
  const udpPort = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'kinds.cjs'), {
    args: ['--ready', 'message', '--listen-mode', mode, ...args],
    env: { ...(await packages), UDP_PORT: String(udpPort) },
  });
  await holdfast.message('started');
  const { msg } = await holdfast.line(({ msg }) => msg.startsWith('PORTS '));
  const { web, chat } = JSON.parse(msg.slice(6)) as { web: number; chat: number };
  /** @param sources that have come back before the next reload begins: they wait before they connect again */
  const reload = async (sources: readonly EventSourceRow[] = []) => {
    for (let done = 1; done <= RELOADS; done++) {
      const from = holdfast.log.length;
      holdfast.child.kill('SIGHUP');
      await holdfast.message('rollout done', from);
      while (sources.some(({ opened }) => opened <= done)) await delay(5);
    }
  };
  return { holdfast, web, chat, udpPort, reload };
}

async function conversations(t: Test, mode: string): Promise<void> {
  const args = ['-i', '2', '--surge', '100%', '--drain-timeout', '20s', '--spread', '500ms'];
  const { holdfast, web, chat, udpPort, reload } = await start(t, mode, args);
  const echoes = [
    new Echoes('WebSocket', web, '/echo').start(6),
    new Echoes('WebSocket, answers take 30 ms', web, '/work').start(6),
  ];
  const chats = Array.from({ length: 3 }, () => new Acknowledgements('socket.io', chat).start());
  const events = Array.from({ length: 4 }, () => new EventRow('server-sent events', web).start());
  const sources = Array.from({ length: 2 }, () => new EventSourceRow('EventSource', web));
  const datagrams = new SlowDatagrams('UDP', udpPort).start(4);
  const clients = [...echoes, ...chats, ...events, ...sources, datagrams];
  const load = new Load({ port: web, fresh: 2, keepAlive: 0, perSecond: 100 });
  t.teardown(() => Promise.allSettled([...clients.map((client) => client.stop()), load.stop()]));

  await reload(sources);
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
  t.ok(datagrams.done > RELOADS, `UDP: ${datagrams.done} datagrams`);
  t.same(holdfast.lines('drain timeout'), [], 'nobody had to be cut off');
}

async function lineRows(t: Test, mode: string): Promise<void> {
  const { holdfast, web, reload } = await start(t, mode, ['-i', '1', '--drain-timeout', '1500ms', '--spread', '100ms']);
  const lines = new LineRow('lines of JSON', web).start(6);
  t.teardown(() => lines.stop());
  await reload();
  await lines.stop();
  t.same(lines.errors, {}, `${lines.count} lines in ${lines.streams} answers`);
  t.ok(lines.streams > RELOADS);
  t.ok(((await holdfast.status()).cutOff.http1 ?? 0) > RELOADS, 'they count as cut off all the same');
}

/** Both modes side by side: most of the time is waiting. */
async function inBothModes(t: Test, check: (t: Test, mode: string) => Promise<void>): Promise<void> {
  t.jobs = 2;
  const modes = ['reuseport', 'reuseaddr'];
  await Promise.all(modes.map((mode) => t.test(mode, { buffered: true }, (t) => check(t, mode))));
}

t.test('long conversations leave at a moment at which nothing is lost', (t) => inBothModes(t, conversations));

t.test('streams that end with the drain are cut off after a whole line', (t) => inBothModes(t, lineRows));
