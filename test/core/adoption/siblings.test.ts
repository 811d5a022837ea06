import t from 'tap';
import { Driver, PORT } from '../driver.js';

const OTHER = '0.0.0.0:9090';
const socket = (slot: number, key = PORT) => ({ slot, key });

t.test(
  'a sibling adopts the socket of a worker that crashes, and gives it back when the replacement listens',
  async (t) => {
    const d = Driver.running({ size: 2 });
    t.same(d.crash(1), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
    d.wait(75);
    t.same(d.done('release'), []);
    d.bind(d.in(0));
    t.same(d.done('release'), [{ do: 'release', worker: 2, socket: socket(0) }]);
    t.same(d.adopted(2), []);
  },
);

t.test('a start moves no sockets around', async (t) => {
  const d = new Driver({ size: 3 });
  d.send({ type: 'start' });
  d.bind(1);
  d.open(2, PORT);
  d.open(3, PORT);
  t.same(d.done('adopt'), [], 'nothing can wait where nobody has ever listened');
  d.bindAll();
  t.same(d.done('adopt'), []);
});

t.test('the sockets of several slots are spread over those who are left', async (t) => {
  const d = Driver.running({ size: 4 });
  d.crash(1);
  d.crash(2);
  t.same(
    d.state.workers.map(({ id }) => [id, d.adopted(id)]),
    [
      [3, [socket(0)]],
      [4, [socket(1)]],
    ],
  );
});

t.test('when an adopter goes, another one takes over all that it has', async (t) => {
  const d = Driver.running({ size: 3 });
  d.crash(1);
  t.same(d.adopted(2), [socket(0)]);
  d.crash(2);
  t.same(d.adopted(3), [socket(0), socket(1)]);
});

t.test('when an adopter stops listening on the address, another one takes over', async (t) => {
  const d = Driver.running({ size: 3 });
  d.crash(1);
  t.same(d.send({ type: 'closed', worker: 2, key: PORT }), [
    { do: 'adopt', worker: 3, socket: socket(0) },
    { do: 'adopt', worker: 3, socket: socket(1) },
  ]);
  t.same(d.adopted(2), []);
});

t.test('only a worker that listens on the address can adopt', async (t) => {
  const d = Driver.running({ size: 2 });
  d.bind(1, OTHER);
  t.same(d.crash(1), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
  d.bind(2, OTHER);
  t.same(d.done('adopt').at(-1), { do: 'adopt', worker: 2, socket: socket(0, OTHER) }, 'as soon as there is one');
});

t.test('the socket of a draining worker is adopted at once: it accepts no longer', async (t) => {
  const d = Driver.running({ size: 2 });
  d.send({ type: 'disconnected', worker: 1 });
  t.same(d.slots(), ['1 draining', '1 ready']);
  t.same(d.adopted(2), [socket(0)]);
});

t.test('without steering the sockets of slots beyond the size stay with their adopters', async (t) => {
  const d = Driver.running({ size: 3 });
  d.scale(1);
  d.clear();
  d.wait(100_000);
  t.same(d.adopted(1), [socket(1), socket(2)]);
  t.same(d.done('closeSocket'), [], 'closing would reset whoever the kernel sends there');
});

t.test('the socket of a worker that comes to listen after it was sent away is adopted', async (t) => {
  const d = Driver.running({ size: 1 });
  d.scale(2);
  d.scale(1);
  t.same(d.slots(), ['1 ready', '1 terminating']);
  // It had asked before it was told to end.
  d.open(2, PORT);
  t.same(d.done('adopt'), []);
  t.same(d.send({ type: 'bound', worker: 2, key: PORT }), [{ do: 'adopt', worker: 1, socket: socket(1) }]);
});

t.test('so is one that a draining worker still comes to listen on', async (t) => {
  const d = Driver.running({ size: 2 });
  d.bind(1, OTHER);
  d.open(2, OTHER);
  d.scale(1);
  t.same(d.slots(), ['1 ready', '1 draining']);
  t.same(d.send({ type: 'bound', worker: 2, key: OTHER }), [{ do: 'adopt', worker: 1, socket: socket(1, OTHER) }]);
});

t.test('a rollout hands them on from the old worker to the new one', async (t) => {
  const d = Driver.running({ size: 2 });
  d.scale(1);
  d.clear();
  d.reload();
  d.effects.length = 0;
  d.bindAll();
  t.same(d.effects, [
    { do: 'accept', worker: 3 },
    {
      do: 'drain',
      worker: 1,
      windowMs: 30_000,
      spreadMs: 5_000,
      reason: 'replaced',
      recipients: [3],
      addresses: ['0.0.0.0:8080'],
    },
    { do: 'adopt', worker: 3, socket: socket(1) },
  ]);
});

t.test('in a rollout sockets go from the old worker of the slot to the new one without any adopter', async (t) => {
  const d = Driver.running({ size: 3 });
  d.reload();
  d.settle();
  t.same(d.done('adopt'), []);
});

t.test('in reuseaddr mode nothing is adopted: the siblings share the socket anyway', async (t) => {
  const d = Driver.running({ size: 3, listenMode: 'reuseaddr' });
  t.same(d.sockets, [{ slot: null, key: PORT }]);
  d.crash(1);
  d.scale(1);
  d.clear();
  t.same(d.done('adopt'), []);
  t.same(d.done('release'), []);
});

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

t.test('a worker on its way out that still has a socket keeps it, another one does not', async (t) => {
  const d = Driver.running({ size: 1 });
  d.open(1, OTHER);
  d.reload();
  d.bind(2);
  t.same(d.slots(), ['1 draining, 2 ready']);
  t.same(d.sockets, [socket(0), socket(0, OTHER)]);
  d.send({ type: 'closed', worker: 1, key: OTHER });
  t.same(d.sockets, [socket(0)]);
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

t.test('a process that has ended is no acceptor any more, though its last words are still being read', async (t) => {
  const d = Driver.running({ size: 2 });
  t.same(d.send({ type: 'ended', worker: 1 }), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
  t.same(d.crash(1), [], 'and is not adopted twice');
});

t.test('what a process that has ended had adopted is adopted anew', async (t) => {
  const d = Driver.running({ size: 3 });
  d.crash(1);
  t.same(d.adopted(2), [socket(0)]);
  t.same(d.send({ type: 'ended', worker: 2 }), [
    { do: 'adopt', worker: 3, socket: socket(0) },
    { do: 'adopt', worker: 3, socket: socket(1) },
  ]);
});

t.test('a queue that does not empty is adopted by the idlest, and given back when it is relieved', async (t) => {
  const d = Driver.running({ size: 4, steered: true });
  t.same(d.send({ type: 'congested', socket: socket(0), helpers: [2, 1] }), [
    { do: 'adopt', worker: 3, socket: socket(0) },
  ]);
  d.wait(10_000);
  t.same(d.done('release'), []);
  t.same(d.send({ type: 'relieved', socket: socket(0) }), [{ do: 'release', worker: 3, socket: socket(0) }]);
});

t.test('as long as connections wait, one more helps each time it is said', async (t) => {
  const d = Driver.running({ size: 4, steered: true });
  const congested = { type: 'congested', socket: socket(0), helpers: [2, 1] } as const;
  d.send(congested);
  t.same(d.send(congested), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
  t.same(d.send(congested), [], 'all who have time are there');
  t.same(d.send({ type: 'relieved', socket: socket(0) }), [
    { do: 'release', worker: 3, socket: socket(0) },
    { do: 'release', worker: 2, socket: socket(0) },
  ]);
});

t.test('nobody is burdened with a queue while all are busy', async (t) => {
  const d = Driver.running({ size: 3, steered: true });
  t.same(d.send({ type: 'congested', socket: socket(0), helpers: [] }), []);
});

t.test('a congested queue whose worker dies stays with its adopter', async (t) => {
  const d = Driver.running({ size: 3, steered: true });
  d.send({ type: 'congested', socket: socket(0), helpers: [1] });
  t.same(d.crash(1), []);
  t.same(d.send({ type: 'relieved', socket: socket(0) }), [], 'it is still the only one to accept there');
  d.wait(75);
  d.bind(d.in(0));
  t.same(d.done('release'), [{ do: 'release', worker: 2, socket: socket(0) }]);
});

t.test('a socket of no slot in custody is nobody’s congestion', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  t.same(d.send({ type: 'congested', socket: socket(7), helpers: [1] }), []);
  t.same(d.send({ type: 'relieved', socket: socket(7) }), []);
});

t.test('who cannot adopt a socket is not asked again, and another one is', async (t) => {
  const d = Driver.running({ size: 3 });
  t.same(d.crash(1), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
  t.same(d.send({ type: 'notAdopted', worker: 2, socket: socket(0) }), [{ do: 'adopt', worker: 3, socket: socket(0) }]);
  t.same(d.send({ type: 'notAdopted', worker: 3, socket: socket(0) }), []);
  t.same(d.adopted(2), []);
});
