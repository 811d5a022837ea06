import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Datagrams } from '../../dist/worker/datagrams.js';

type GetServer = (socket: unknown, query: object, reply: (errno: number, handle: unknown) => void) => void;

/** node:cluster, which gives a handle to whoever asks, and sockets that the application binds. */
function world(t: Test) {
  const seam = cluster as unknown as { _getServer: GetServer };
  const before = seam._getServer;
  t.teardown(() => {
    seam._getServer = before;
  });
  const made = () => ({
    stopped: 0,
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
  let handle = made();
  seam._getServer = (_socket, _query, reply) => {
    handle = made();
    reply(0, handle);
  };
  const datagrams = new Datagrams();
  datagrams.install();
  const bind = (query: object, { connected = false } = {}) => {
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
    return { socket, handle };
  };
  return { datagrams, bind };
}

t.test('a drain stops taking from sockets that are bound to serve, and from no others', async (t) => {
  const { datagrams, bind } = world(t);
  const serves = bind({ addressType: 'udp4', port: 53 });
  const inherited = bind({ addressType: 'udp6', port: null, fd: 3 });
  const sends = bind({ addressType: 'udp4', port: 0 });
  const connected = bind({ addressType: 'udp4', port: 53 }, { connected: true });
  const tcp = bind({ addressType: 4, port: 80 });
  datagrams.drain();
  t.same(
    [serves, inherited, sends, connected, tcp].map(({ handle }) => handle.stopped),
    [1, 1, 0, 0, 0],
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
