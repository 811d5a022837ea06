import t from 'tap';
import { HANDSHAKE_MS } from '../../../src/core/adoption/retirement.js';
import { Driver, PORT } from '../driver.js';

const socket = (slot: number) => ({ slot, key: PORT });

/** Scaled from 3 to 2, the last worker gone. */
function scaledDown(): Driver {
  const d = Driver.running({ size: 3, steered: true });
  d.scale(2);
  d.clear();
  return d;
}

t.test('a socket of a slot that has gone is served by a sibling, then let go of, then closed', async (t) => {
  const d = scaledDown();
  t.same(d.done('adopt'), [{ do: 'adopt', worker: 1, socket: socket(2) }]);
  d.wait(HANDSHAKE_MS - 1);
  t.same(d.done('release'), [], 'clients whose handshake is under way still come');
  d.wait(1);
  t.same(d.done('release'), [{ do: 'release', worker: 1, socket: socket(2) }]);
  t.same(d.done('closeSocket'), [], 'whoever accepts on a closed socket gets an error');
  t.same(d.send({ type: 'released', worker: 1, socket: socket(2) }), [{ do: 'closeSocket', socket: socket(2) }]);
  t.same(d.sockets, [socket(0), socket(1)]);
});

t.test('of several that retire at once each goes alone, and those behind it have their time anew', async (t) => {
  const d = Driver.running({ size: 4, steered: true });
  d.scale(2);
  d.clear();
  d.wait(HANDSHAKE_MS);
  t.same(
    d.done('release').map(({ socket: { slot } }) => slot),
    [2],
    'the others are still served: the kernel may choose one of them while the order of the group changes',
  );
  d.send({ type: 'released', worker: 1, socket: socket(2) });
  d.send({ type: 'released', worker: 2, socket: socket(2) });
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(2) }]);
  d.wait(HANDSHAKE_MS - 1);
  t.equal(d.done('release').length, 1);
  d.wait(1);
  const { worker = 0 } = d.done('release')[1] ?? {};
  d.send({ type: 'released', worker, socket: socket(3) });
  t.same(d.done('closeSocket'), [
    { do: 'closeSocket', socket: socket(2) },
    { do: 'closeSocket', socket: socket(3) },
  ]);
});

t.test('it stays as long as a worker of its slot is there', async (t) => {
  const d = Driver.running({ size: 3, steered: true });
  d.scale(2);
  d.wait(HANDSHAKE_MS * 2);
  t.same(d.slots()[2], '1 draining');
  t.same(d.done('release'), []);
  d.clear();
  t.same(d.done('release'), [{ do: 'release', worker: 1, socket: socket(2) }]);
});

t.test('it stays as long as connections wait in it', async (t) => {
  const d = scaledDown();
  d.send({ type: 'congested', socket: socket(2), helpers: [] });
  d.wait(HANDSHAKE_MS * 2);
  t.same(d.done('release'), []);
  d.send({ type: 'relieved', socket: socket(2) });
  t.same(d.done('release'), [{ do: 'release', worker: 1, socket: socket(2) }]);
});

t.test('an adopter that dies instead of letting go has let go', async (t) => {
  const d = scaledDown();
  d.wait(HANDSHAKE_MS);
  d.crash(1);
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(2) }]);
});

t.test('one that stops listening on the address has let go as well', async (t) => {
  const d = scaledDown();
  d.wait(HANDSHAKE_MS);
  d.send({ type: 'closed', worker: 1, key: PORT });
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(2) }]);
});

t.test('where every worker dies at once, what waits in it waits for the one that is to come', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  d.scale(1);
  d.crash(1);
  d.clear();
  t.same(d.done('closeSocket'), [], 'its own slot has nobody to come, the other one has');
});

t.test('connections that come at the last moment are served', async (t) => {
  const d = scaledDown();
  d.wait(HANDSHAKE_MS);
  t.same(d.send({ type: 'congested', socket: socket(2), helpers: [1] }), [
    { do: 'adopt', worker: 2, socket: socket(2) },
  ]);
  d.send({ type: 'released', worker: 1, socket: socket(2) });
  t.same(d.done('closeSocket'), []);
  d.send({ type: 'relieved', socket: socket(2) });
  d.send({ type: 'released', worker: 2, socket: socket(2) });
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: socket(2) }]);
});

t.test('when steering fails sockets that the hash may choose again stay open, with a sibling', async (t) => {
  const d = scaledDown();
  d.wait(HANDSHAKE_MS);
  d.send({ type: 'steeringFailed' });
  d.send({ type: 'released', worker: 1, socket: socket(2) });
  d.wait(HANDSHAKE_MS * 2);
  t.same(d.done('closeSocket'), []);
  t.ok(d.state.workers.some(({ id }) => d.adopted(id).some(({ slot }) => slot === 2)));
});

t.test('when steering fails nobody helps any longer whose own worker is there', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  d.send({ type: 'congested', socket: socket(0), helpers: [1] });
  t.same(d.send({ type: 'steeringFailed' }), [{ do: 'release', worker: 2, socket: socket(0) }]);
});

t.test('a slot that comes back in time finds its socket', async (t) => {
  const d = scaledDown();
  d.wait(HANDSHAKE_MS - 1);
  d.scale(3);
  d.bindAll();
  d.send({ type: 'released', worker: 1, socket: socket(2) });
  d.wait(HANDSHAKE_MS * 2);
  t.same(d.done('closeSocket'), []);
  t.same(d.sockets, [socket(0), socket(1), socket(2)]);
});

t.test('also when it comes back while the adopter lets go', async (t) => {
  const d = scaledDown();
  d.wait(HANDSHAKE_MS);
  d.scale(3);
  d.bindAll();
  d.send({ type: 'released', worker: 1, socket: socket(2) });
  d.wait(HANDSHAKE_MS * 2);
  t.same(d.done('closeSocket'), []);
  t.same(d.slots(), ['1 ready', '1 ready', '1 ready']);
});
