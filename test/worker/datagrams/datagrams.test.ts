import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Datagrams } from '../../../dist/worker/datagrams/datagrams.js';

type GetServer = (socket: unknown, query: object, reply: (errno: number, handle: unknown) => void) => void;

/** node:cluster, which gives a handle to whoever asks, and sockets that the application binds. */
function world(t: Test) {
  const seam = cluster as unknown as { _getServer: GetServer };
  const before = seam._getServer;
  t.teardown(() => {
    seam._getServer = before;
  });
  const methods = () => ({
    stopped: 0,
    started: 0,
    closed: 0,
    recvStart() {
      this.started += 1;
      return 0;
    },
    close() {
      this.closed += 1;
    },
    sent: 0,
    recvStop() {
      this.stopped += 1;
      return 0;
    },
    send() {
      this.sent += 1;
      return 0;
    },
  });
  // Its methods are inherited, as those of Node's handles are.
  const made = () => Object.create(methods()) as ReturnType<typeof methods>;
  let handle = made();
  seam._getServer = (_socket, _query, reply) => {
    handle = made();
    reply(0, handle);
  };
  const told: { type: string; seq?: number; key?: string }[] = [];
  let asked = 0;
  const channel = {
    send: (message: { type: string }) => void told.push(message),
    ask: () => ++asked,
    sayReady: () => {},
    hold: () => {},
    letGo: () => {},
  };
  const datagrams = new Datagrams(channel);
  datagrams.install();
  const bind = (query: object, { connected = false, hold = false } = {}) => {
    const before = told.length;
    const socket = {
      open: true,
      address() {
        if (!this.open) throw new Error('not running');
        return {};
      },
      remoteAddress() {
        if (!connected) throw new Error('not connected');
        return {};
      },
    };
    seam._getServer(socket, query, () => {});
    const question = told[before];
    if (question?.type === 'share') {
      handle = made();
      datagrams.answer(question.seq ?? 0, 'udp:0.0.0.0:53', 0, handle, hold);
    }
    return { socket, handle };
  };
  return { datagrams, bind, told };
}

t.test('a drain stops taking from sockets that are bound to serve, and from no others', async (t) => {
  const { datagrams, bind } = world(t);
  const serves = bind({ addressType: 'udp4', port: 53 });
  const sends = bind({ addressType: 'udp4', port: 0 });
  const connected = bind({ addressType: 'udp4', port: 53 }, { connected: true });
  const tcp = bind({ addressType: 4, port: 80 });
  datagrams.drain();
  t.same(
    [serves, sends, connected, tcp].map(({ handle }) => handle.stopped),
    [1, 0, 0, 0],
  );
  const late = bind({ addressType: 'udp4', port: 54 });
  t.equal(late.handle.stopped, 1, 'nor does one that is bound during the drain');
});

t.test('without sockets it is done at once, and when all have been closed', async (t) => {
  const { datagrams, bind } = world(t);
  datagrams.drain();
  t.equal(datagrams.isDone(), true);
  const { socket } = bind({ addressType: 'udp4', port: 53 });
  t.equal(datagrams.isDone(), false);
  socket.open = false;
  t.equal(datagrams.isDone(), true);
});

t.test('it is done when nothing has been sent for a second, or for twice the longest pause', async (t) => {
  const { datagrams, bind } = world(t);
  const { socket, handle } = bind({ addressType: 'udp4', port: 53 });
  datagrams.drain();
  const drainedAt = performance.now();
  await pause(700);
  const sentAt = performance.now();
  handle.send();
  t.equal(handle.sent, 1, 'it does send');
  while (!datagrams.isDone()) await pause(10);
  t.ok(performance.now() - sentAt >= 2 * (sentAt - drainedAt) - 5);
  t.equal(socket.open, true, 'and is not done for another reason');
});

t.test('sockets that have gone are forgotten', async (t) => {
  const { datagrams, bind } = world(t);
  for (let i = 0; i < 1_000; i++) bind({ addressType: 'udp4', port: 53 }).socket.open = false;
  t.equal(datagrams.isDone(), true);
  const last = bind({ addressType: 'udp4', port: 53 });
  datagrams.drain();
  t.equal(last.handle.stopped, 1);
});

t.test('the supervisor hears of what serves, when it is bound and when it is closed', async (t) => {
  const { bind, told } = world(t);
  const { handle } = bind({ addressType: 'udp4', port: 53, address: '127.0.0.1', flags: 4 });
  const request = { kind: 'udp', host: '127.0.0.1', port: 53, family: 4, ipv6Only: false, reuseAddr: true };
  t.match(told, [
    { type: 'share', request },
    { type: 'bound', key: 'udp:0.0.0.0:53' },
  ]);
  handle.close();
  t.match(told.at(-1), { type: 'closed', key: 'udp:0.0.0.0:53' });
  t.equal(handle.closed, 1);
  bind({ addressType: 'udp4', port: 0 });
  t.equal(told.length, 3, 'a port of the kernel is the affair of nobody else');
});

t.test('what is held receives nothing before it is to', async (t) => {
  const { datagrams, bind } = world(t);
  const { handle } = bind({ addressType: 'udp4', port: 53 }, { hold: true });
  handle.recvStart();
  t.equal(handle.started, 0);
  datagrams.accept();
  t.equal(handle.started, 1);
});

t.test('what has been closed is asked for nothing more: Node 26 ends the process then', async (t) => {
  const { datagrams, bind } = world(t);
  const held = bind({ addressType: 'udp4', port: 53 }, { hold: true });
  held.handle.recvStart();
  held.handle.close();
  datagrams.accept();
  t.equal(held.handle.started, 0);
  const replaced = bind({ addressType: 'udp4', port: 54 });
  replaced.handle.close();
  t.equal(replaced.socket.open, true, 'another handle has taken its place');
  datagrams.drain();
  t.equal(replaced.handle.stopped, 0);
});
