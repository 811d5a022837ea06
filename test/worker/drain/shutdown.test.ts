import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import type { Connection } from '../../../dist/worker/connections/connections.js';
import { hasSpokenElsewhere } from '../../../dist/worker/connections/first-word.js';
import { type Schedule, Shutdown } from '../../../dist/worker/drain/shutdown.js';
import type { ServerSocket } from '../../../dist/worker/node/socket.js';

/** A clock that is moved by hand; what data there is has been read when it says so. */
class Clock {
  time: number;
  #later: { at: number; run: () => void }[] = [];
  polls: (() => void)[] = [];

  constructor(time = 0) {
    this.time = time;
  }

  now(): number {
    return this.time;
  }

  at(time: number, run: () => void): void {
    this.#later.push({ at: time, run });
  }

  afterPoll(run: () => void): void {
    this.polls.push(run);
  }

  /** Timers first, then what is read, as in a turn of the loop. */
  wait(ms: number, read: () => void = () => {}): void {
    const until = this.time + ms;
    for (;;) {
      const due = this.#later.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#later.splice(this.#later.indexOf(due), 1);
      this.time = Math.max(this.time, due.at);
      due.run();
      read();
      for (const run of this.polls.splice(0)) run();
    }
    this.time = until;
  }

  /** The loop is blocked: whatever came due in the meantime runs before anything is read. */
  block(ms: number, read: () => void): void {
    this.time += ms;
    this.wait(0, read);
  }
}

const SCHEDULE: Schedule = { beganAt: 0, endsAt: 75_000, spreadMs: 5_000, reason: 'replaced' };

/** A server of HTTP, which knows its active parsers as Node's own does; and sockets of all kinds. */
function world({ schedule = {}, server = {} }: { schedule?: Partial<Schedule>; server?: Record<string, number> } = {}) {
  const clock = new Clock(schedule.beganAt);
  const active = new Set<object>();
  const list = Symbol('http.server.connections');
  const lists = { all: () => [], idle: () => [], active: () => [...active] };
  const http = {
    closeIdleConnections: () => {},
    keepAliveTimeout: 5_000,
    headersTimeout: 60_000,
    [list]: lists,
    ...server,
  };
  const plain = {};
  const done: string[] = [];
  const given = new Set<object>();
  const underWay = new Set<object>();
  const offered: number[] = [];
  const goesOn = {
    mayGive: (socket: ServerSocket) => given.has(socket),
    isUnderWay: (socket: ServerSocket) => underWay.has(socket),
    offerAgain: () => void offered.push(clock.time),
  };
  const shutdown = new Shutdown({ ...SCHEDULE, ...schedule }, goesOn, clock);
  function connect(name: string, change: Record<string | symbol, unknown> = {}): Connection {
    const socket = {
      server: http,
      parser: {},
      bytesRead: 100,
      bytesWritten: 100,
      writableLength: 0,
      timeout: 5_000,
      destroyed: false,
      setTimeout(ms: number) {
        this.timeout = ms;
      },
      destroy() {
        done.push(`${name} cut off at ${clock.time}`);
        this.destroyed = true;
      },
      end: () => done.push(`${name} ended`),
      ...change,
    };
    return { socket: socket as unknown as ServerSocket, acceptedAt: 0 };
  }
  function move({ socket }: Connection): void {
    (socket as { bytesRead: number }).bytesRead += 10;
  }
  return { clock, plain, active, given, underWay, offered, done, shutdown, connect, move };
}

t.test(
  'a silent client of HTTP/1.1 is cut off when the server’s promise and a second are over, whatever spread is',
  async (t) => {
    for (const spreadMs of [0, 5_000, 60_000]) {
      const { clock, shutdown, connect, done } = world({ schedule: { spreadMs } });
      const one = connect('one');
      shutdown.begin([one]);
      t.equal(one.socket.timeout, 0, 'Node’s own timer, which does not look whether data has come, is out of it');
      clock.wait(5_999);
      t.same(done, []);
      clock.wait(2);
      t.same(done, ['one cut off at 6000']);
    }
  },
);

t.test('a promise that never ends lasts as long as the drain', async (t) => {
  const { clock, shutdown, connect, done } = world({ server: { keepAliveTimeout: 0 } });
  shutdown.begin([connect('one')]);
  clock.wait(80_000);
  t.same(done, []);
});

t.test('data that came while the loop was blocked is seen before the client is cut off', async (t) => {
  const { clock, shutdown, connect, done, move } = world();
  const one = connect('one');
  shutdown.begin([one]);
  clock.wait(5_500);
  clock.block(1_500, () => move(one));
  t.same(done, []);
  clock.wait(5_999);
  t.same(done, [], 'and from then on it has its time anew');
  clock.wait(2_000);
  t.equal(done.length, 1);
});

t.test('a client that speaks is left to its answer, and one whose request is under way as well', async (t) => {
  const { clock, shutdown, connect, done, move, active } = world();
  const speaks = connect('speaks');
  const waits = connect('waits', { _httpMessage: { finished: false } });
  const halfSent = connect('half sent');
  active.add(halfSent.socket.parser as object);
  shutdown.begin([speaks, waits, halfSent]);
  clock.wait(70_000, () => move(speaks));
  t.same(done, []);
});

t.test('what goes to another worker is left alone, until that has become impossible', async (t) => {
  const { clock, shutdown, connect, done, given } = world();
  const one = connect('one');
  given.add(one.socket);
  shutdown.begin([one]);
  clock.wait(30_000);
  t.same(done, []);
  t.equal(one.socket.timeout, 5_000);
  given.delete(one.socket);
  clock.wait(10_000);
  t.same(done.length, 1);
});

t.test(
  'one that may go to another worker and rests is offered again, as perhaps nobody has said that it does',
  async (t) => {
    const { clock, shutdown, connect, given, offered, active } = world();
    const rests = connect('rests');
    const asks = connect('asks');
    for (const { socket } of [rests, asks]) given.add(socket);
    active.add(asks.socket.parser as object);
    shutdown.begin([rests, asks]);
    clock.wait(2_500);
    t.same(offered, [0, 1_000, 2_000]);
  },
);

t.test(
  'a client that was promised more by another worker, and has said nothing since, is kept for as long',
  async (t) => {
    const { clock, shutdown, connect, done } = world();
    const one = connect('one', { bytesRead: 0, bytesWritten: 0 });
    hasSpokenElsewhere(one.socket, 20_000);
    const spoke = connect('spoke', { bytesRead: 0, bytesWritten: 0 });
    hasSpokenElsewhere(spoke.socket, 3_000);
    shutdown.begin([one, spoke]);
    clock.wait(20_999);
    t.same(done, ['spoke cut off at 6000'], 'and none for as long as one that has never said anything');
    clock.wait(2);
    t.same(done.at(-1), 'one cut off at 21000');
  },
);

t.test('a silent conversation that is on its way to another worker is not ended', async (t) => {
  const { clock, plain, shutdown, connect, done, underWay } = world();
  const talk = connect('talk', { server: plain, parser: null });
  underWay.add(talk.socket);
  shutdown.begin([talk]);
  clock.wait(74_500);
  t.same(done, []);
  underWay.delete(talk.socket);
  clock.wait(100);
  t.same(done, ['talk ended'], 'it has come back');
});

t.test(
  'a connection over which nothing was ever said is kept as long as Node would, in a stop as any other',
  async (t) => {
    const fresh = { bytesRead: 0, bytesWritten: 0 };
    const replaced = world();
    replaced.shutdown.begin([replaced.connect('fresh', fresh)]);
    replaced.clock.wait(60_999);
    t.same(replaced.done, []);
    replaced.clock.wait(1);
    t.same(replaced.done, ['fresh cut off at 61000']);
    const stopping = world({ schedule: { reason: 'stopping' } });
    stopping.shutdown.begin([stopping.connect('fresh', fresh)]);
    stopping.clock.wait(6_001);
    t.same(stopping.done, ['fresh cut off at 6000']);
  },
);

t.test('nothing is done any more once the application ends in its own way', async (t) => {
  const { clock, shutdown, connect, done } = world();
  shutdown.begin([connect('one')]);
  clock.wait(5_000);
  shutdown.end();
  clock.wait(60_000);
  t.same(done, []);
});

t.test(
  'WebSockets are told why they are closed, one by one over the spread, unless the application does that',
  async (t) => {
    for (const [reason, code] of [
      ['replaced', 1012],
      ['stopping', 1001],
    ] as const) {
      // So long ago that the time for a quiet moment is over, and its end is there at once.
      const schedule = { reason, beganAt: -100_000, endsAt: -25_000 };
      const { clock, shutdown, connect } = world({ schedule });
      const codes: number[] = [];
      const socket = () => ({ parser: null, [Symbol('websocket')]: { close: (given: number) => codes.push(given) } });
      shutdown.begin(Array.from({ length: 50 }, (_none, i) => connect(String(i), socket())));
      clock.wait(2_500);
      await setImmediate();
      t.ok(codes.length > 15 && codes.length < 35, `${codes.length} after half of the time`);
      clock.wait(2_500);
      await setImmediate();
      t.same(codes, new Array(50).fill(code));
      const kept = world({ schedule });
      kept.shutdown.keepUpgraded = true;
      kept.shutdown.begin([kept.connect('kept', socket())]);
      kept.clock.wait(70_000);
      await setImmediate();
      t.equal(codes.length, 50);
    }
  },
);

t.test(
  'a conversation that was silent all the time ends with the window; others go on, and so does what nobody knows',
  async (t) => {
    const { clock, shutdown, connect, done, move, plain } = world();
    const silent = connect('silent', { server: plain, parser: null });
    const spoke = connect('spoke', { server: plain, parser: null });
    const upgraded = connect('upgraded', { parser: null });
    shutdown.begin([silent, spoke, upgraded]);
    move(spoke);
    clock.wait(73_999);
    t.same(done, []);
    clock.wait(1_000);
    t.same(done, ['silent ended']);
  },
);

t.test('what is still to be sent to a slow reader counts as movement', async (t) => {
  const { clock, shutdown, connect, done, plain } = world();
  const slow = connect('slow', { server: plain, parser: null, writableLength: 4_000_000 });
  shutdown.begin([slow]);
  clock.wait(10_000);
  (slow.socket as unknown as { writableLength: number }).writableLength = 0;
  clock.wait(64_000);
  t.same(done, []);
});

t.test('one that comes later has a turn, too: a handshake of TLS was still under way', async (t) => {
  const { clock, shutdown, connect, done } = world();
  shutdown.begin([]);
  clock.wait(3_000);
  shutdown.add(connect('late'));
  clock.wait(6_001);
  t.same(done, ['late cut off at 9000']);
});
