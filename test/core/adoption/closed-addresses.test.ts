import t from 'tap';
import { Driver, PORT } from '../driver.js';
import { OTHER, socket } from './siblings.test.js';

t.test('a second address of a running worker is not taken for an unused one', async (t) => {
  const d = Driver.running({ size: 1 });
  t.same(d.send({ type: 'socketOpened', socket: socket(0, OTHER) }), []);
  d.wait(5_000);
  d.send({ type: 'bound', worker: 1, key: OTHER });
  d.wait(100_000);
  t.same(d.done('closeSocket'), []);
  t.same(d.sockets, [socket(0), socket(0, OTHER)]);
});

t.test('a server that its worker closes on purpose is refused at once, and can be opened again', async (t) => {
  const d = Driver.running({ size: 1 }, PORT, OTHER);
  t.same(d.send({ type: 'closed', worker: 1, key: OTHER }), [{ do: 'closeSocket', socket: socket(0, OTHER) }]);
  d.wait(1_000);
  d.open(1, OTHER);
  d.send({ type: 'bound', worker: 1, key: OTHER });
  d.wait(100_000);
  t.equal(d.done('closeSocket').length, 1);
  t.same(d.sockets, [socket(0), socket(0, OTHER)]);
});

t.test('what waits in the socket of one that has closed it is for a sibling, until the last has', async (t) => {
  const d = Driver.running({ size: 2 }, PORT, OTHER);
  t.same(d.send({ type: 'closed', worker: 1, key: OTHER }), [{ do: 'adopt', worker: 2, socket: socket(0, OTHER) }]);
  t.same(d.send({ type: 'closed', worker: 2, key: OTHER }), [
    { do: 'closeSocket', socket: socket(0, OTHER) },
    { do: 'closeSocket', socket: socket(1, OTHER) },
  ]);
});

t.test('one that all share goes when the last has closed it', async (t) => {
  const d = Driver.running({ size: 2, listenMode: 'reuseaddr' }, PORT, OTHER);
  t.same(d.send({ type: 'closed', worker: 1, key: OTHER }), []);
  const gone = { do: 'closeSocket', socket: { slot: null, key: OTHER } };
  t.same(d.send({ type: 'closed', worker: 2, key: OTHER }), [gone]);
});

t.test('a look at a port, as of who tries whether it is free, leaves nothing', async (t) => {
  for (const listenMode of ['reuseport', 'reuseaddr'] as const) {
    const d = new Driver({ size: 2, listenMode, policy: { ready: 'message' } });
    d.send({ type: 'start' });
    const slot = listenMode === 'reuseport' ? 0 : null;
    d.open(1, OTHER);
    t.same(d.done('closeSocket'), [], 'it has been given, and is about to be listened on');
    d.send({ type: 'bound', worker: 1, key: OTHER });
    const gone = { do: 'closeSocket', socket: { slot, key: OTHER } };
    t.same(d.send({ type: 'closed', worker: 1, key: OTHER }), [gone], listenMode);
    t.same(d.sockets, []);
  }
});

t.test('the address of a predecessor that has crashed is not closed by a look of its successor', async (t) => {
  const d = Driver.running({ size: 1, policy: { ready: 'message' } });
  d.send({ type: 'saidReady', worker: 1 });
  d.crash(1);
  d.wait(75);
  const successor = d.in(0);
  d.bind(successor);
  t.same(d.send({ type: 'closed', worker: successor, key: PORT }), []);
  d.wait(5_000);
  d.bind(successor);
  d.send({ type: 'saidReady', worker: successor });
  t.same(d.done('closeSocket'), []);
});

t.test('a replacement may take its time to listen on its second address: the queue is kept for it', async (t) => {
  const d = Driver.running({ size: 1 }, PORT, OTHER);
  d.crash(1);
  d.wait(75);
  d.bind(2);
  t.same(d.slots(), ['1 ready']);
  d.wait(9_000);
  d.bind(2, OTHER);
  d.wait(100_000);
  t.same(d.done('closeSocket'), []);
});

t.test('an address that a failed release has opened is closed again', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload();
  d.open(2, OTHER);
  d.crash(2);
  d.wait(10_000);
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(0, OTHER) }]);
});

t.test('what was served is kept while a seat is empty, what never was is not', async (t) => {
  const d = Driver.running({ size: 1 }, PORT, OTHER);
  d.open(1, '0.0.0.0:7070');
  d.crash(1);
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(0, '0.0.0.0:7070') }]);
  d.wait(5_000);
  d.bind(d.in(0));
  d.wait(9_999);
  t.same(d.sockets, [socket(0), socket(0, OTHER)], 'it may be a moment late');
  d.wait(1);
  t.same(d.sockets, [socket(0)]);
});

t.test('after a restart to other addresses the old ones are refused as soon as the new ones are there', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart();
  d.clear();
  t.same(d.sockets, [socket(0), socket(1)], 'clients wait meanwhile');
  d.bind(d.in(0), OTHER);
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(0) }]);
  d.bind(d.in(1), OTHER);
  t.same(d.sockets, [socket(0, OTHER), socket(1, OTHER)]);
});
