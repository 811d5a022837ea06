import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import type { Connection, ServerSocket } from '../../dist/worker/connections.js';
import { Farewell } from '../../dist/worker/farewell.js';

/** A server of HTTP, which knows its idle connections as Node's own does; and sockets of all kinds. */
function world() {
  const idle = new Set<Socket>();
  const list = Symbol('http.server.connections');
  const http = { closeIdleConnections: () => {}, [list]: { idle: () => [...idle].map((socket) => ({ socket })) } };
  const plain = {};
  const done: string[] = [];
  function connect(name: string, change: Record<string | symbol, unknown> = {}): Connection {
    const socket = {
      server: http,
      parser: {},
      bytesRead: 100,
      bytesWritten: 100,
      writableLength: 0,
      destroy: () => done.push(`${name} cut off`),
      end: () => done.push(`${name} ended`),
      ...change,
    };
    return { socket: socket as unknown as ServerSocket, acceptedAt: 0 };
  }
  function move({ socket }: Connection): void {
    (socket as { bytesRead: number }).bytesRead += 10;
  }
  return { http, plain, idle, done, connect, move };
}

const SCHEDULE = { beganAt: 0, endsAt: 30_000, spreadMs: 5_000, reason: 'replaced' } as const;

/** Ticks from the begin to `untilMs`, as the drain does. */
function tick(farewell: Farewell, open: () => Connection[], fromMs: number, untilMs: number, each?: () => void): void {
  for (let now = fromMs; now <= untilMs; now += 20) {
    each?.();
    farewell.tick(open(), now);
  }
}

t.test('silent clients of HTTP/1.1 are cut off one by one, none before it has been silent for a second', async (t) => {
  const { connect, idle, done } = world();
  const open = Array.from({ length: 50 }, (_none, i) => connect(String(i)));
  for (const { socket } of open) idle.add(socket);
  const farewell = new Farewell(SCHEDULE);
  const present = () => open.filter((_one, i) => !done.includes(`${i} cut off`));
  tick(farewell, present, 0, 980);
  t.same(done, []);
  tick(farewell, present, 1_000, 3_000);
  t.ok(done.length > 10 && done.length < 40, `${done.length} after half of the time`);
  tick(farewell, present, 3_020, 5_000);
  t.equal(done.length, 50);
});

t.test('a client that speaks is left to its answer, and one whose request is being answered as well', async (t) => {
  const { connect, idle, done, move } = world();
  const speaks = connect('speaks');
  const waits = connect('waits', { _httpMessage: { finished: false } });
  const halfSent = connect('half sent');
  idle.add(speaks.socket);
  idle.add(waits.socket);
  const farewell = new Farewell(SCHEDULE);
  tick(
    farewell,
    () => [speaks, waits, halfSent],
    0,
    20_000,
    () => move(speaks),
  );
  t.same(done, []);
});

t.test('a connection over which nothing was ever said is silent', async (t) => {
  const { connect, done } = world();
  const silent = connect('silent', { bytesRead: 0, bytesWritten: 0 });
  tick(new Farewell(SCHEDULE), () => (done.length === 0 ? [silent] : []), 0, 6_000);
  t.same(done, ['silent cut off']);
});

t.test('a WebSocket is told once why it is closed, unless the application does that', async (t) => {
  for (const [reason, code] of [
    ['replaced', 1012],
    ['stopping', 1001],
  ] as const) {
    const { connect } = world();
    const codes: number[] = [];
    const connection = connect('ws', {
      parser: null,
      [Symbol('websocket')]: { close: (given: number) => codes.push(given) },
    });
    // The time for a quiet moment is over.
    const endsAt = performance.now();
    const schedule = { ...SCHEDULE, beganAt: endsAt - 30_000, endsAt, reason };
    tick(new Farewell(schedule), () => [connection], schedule.beganAt, endsAt - 20_000);
    await setImmediate();
    t.same(codes, [code]);
    const kept = new Farewell(schedule);
    kept.keepUpgraded = true;
    tick(kept, () => [connection], schedule.beganAt, endsAt);
    await setImmediate();
    t.same(codes, [code]);
  }
});

t.test(
  'a conversation that was silent all the time ends with the window; others go on, and so does what nobody knows',
  async (t) => {
    const { connect, done, move, plain } = world();
    const silent = connect('silent', { server: plain, parser: null });
    const spoke = connect('spoke', { server: plain, parser: null });
    const upgraded = connect('upgraded', { parser: null });
    const farewell = new Farewell(SCHEDULE);
    farewell.tick([silent, spoke, upgraded], 0);
    move(spoke);
    tick(farewell, () => [silent, spoke, upgraded], 20, 28_900);
    t.same(done, []);
    tick(farewell, () => [silent, spoke, upgraded], 28_920, 30_000);
    t.same(done, ['silent ended']);
  },
);

t.test('what is still to be sent to a slow reader counts as movement', async (t) => {
  const { connect, done, plain } = world();
  const slow = connect('slow', { server: plain, parser: null, writableLength: 4_000_000 });
  const farewell = new Farewell(SCHEDULE);
  tick(farewell, () => [slow], 0, 10_000);
  (slow.socket as unknown as { writableLength: number }).writableLength = 0;
  tick(farewell, () => [slow], 10_020, 30_000);
  t.same(done, []);
});
