import t from 'tap';
import { Driver } from '../driver.js';
import { socket } from './siblings.test.js';

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
