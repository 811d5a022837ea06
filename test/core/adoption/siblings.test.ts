import t from 'tap';
import { Driver, PORT } from '../driver.js';

export const OTHER = '0.0.0.0:9090';
export const socket = (slot: number, key = PORT) => ({ slot, key });

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

t.test('who cannot adopt a socket is not asked again, and another one is', async (t) => {
  const d = Driver.running({ size: 3 });
  t.same(d.crash(1), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
  t.same(d.send({ type: 'notAdopted', worker: 2, socket: socket(0) }), [{ do: 'adopt', worker: 3, socket: socket(0) }]);
  t.same(d.send({ type: 'notAdopted', worker: 3, socket: socket(0) }), []);
  t.same(d.adopted(2), []);
});
